/** HDFS: Hadoop's own little cluster, a name node and a data node in one process. */

import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { installJars } from './maven.ts'
import { freePorts, type ServerProcess, startProcess } from './process.ts'

export const HADOOP_VERSION = '3.5.0'
const DIR = `hadoop-${HADOOP_VERSION}`

/** The folder of its jars, or null. */
export const hadoopJars = () =>
  installed(DIR, 'libs', `hadoop-client-minicluster-${HADOOP_VERSION}.jar`) === null
    ? null
    : join(serversDir(), DIR, 'libs')

/** @throws when Maven or Java is missing */
export const installHadoop = () =>
  installJars(
    DIR,
    ['hadoop-client-minicluster', 'hadoop-client-api', 'hadoop-client-runtime'].map(
      (artifact) => ['org.apache.hadoop', artifact, HADOOP_VERSION] as const,
    ),
  )

export interface HdfsServer {
  /** `http://127.0.0.1:<port>` of WebHDFS. */
  readonly url: string
  readonly server: ServerProcess
  /** A call of WebHDFS as the user `root`, e.g. `PUT`, `/a`, `op=MKDIRS`. @throws the server's words when it refuses */
  call(method: string, path: string, query: string): Promise<any>
  /** Writes a file. */
  put(path: string, text: string): Promise<void>
  /** Graceful stop and start on the same ports and data. */
  restart(): Promise<void>
  close(): Promise<void>
}

/**
 * @param permissions whether they are checked; `root` is the superuser
 * @param files without, there are directories only, and it starts faster
 */
export async function startHdfs({ permissions = false, files = true } = {}): Promise<HdfsServer> {
  const jars = hadoopJars()
  if (jars === null) throw new Error('Hadoop is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-hdfs-'))
  const [rpc, http] = (await freePorts(2)) as [number, number]
  const url = `http://127.0.0.1:${http}`
  const settings = {
    'hdfs.minidfs.basedir': dir,
    'dfs.replication': 1,
    'dfs.permissions.enabled': permissions,
    'dfs.namenode.rpc-bind-host': '127.0.0.1',
    'dfs.namenode.http-bind-host': '127.0.0.1',
  }
  const arguments_ = (format: boolean) => [
    ...['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    ...[`-Dtest.build.data=${dir}`, `-Dhadoop.log.dir=${dir}`],
    ...['-cp', join(jars, '*'), 'org.apache.hadoop.test.MiniDFSClusterManager'],
    ...(format ? ['-format'] : []),
    ...['-nnport', String(rpc), '-httpport', String(http), '-datanodes', files ? '1' : '0'],
    ...Object.entries(settings).flatMap(([name, value]) => ['-D', `${name}=${value}`]),
  ]
  const call = callsOf(url)
  // Out of its safe mode, and with its data node.
  const ready = async () => {
    await call('PUT', '/tmp', 'op=MKDIRS')
    return !files || (await call('PUT', '/tmp/ready', 'op=CREATE&noredirect=true')).Location !== undefined
  }
  const start = (format: boolean) => startProcess('java', arguments_(format), { ready, cwd: dir, timeoutMs: 120_000 })
  let server = await start(true)
  return {
    url,
    get server() {
      return server
    },
    call,
    async put(path, text) {
      const { Location } = await call('PUT', path, 'op=CREATE&overwrite=true&noredirect=true')
      await send('PUT', Location, text)
    },
    async restart() {
      await server.stop(20_000)
      server = await start(false)
    },
    async close() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** Calls of WebHDFS as {@link HdfsServer.call} makes them. @param url without a slash at its end */
export const callsOf =
  (url: string): HdfsServer['call'] =>
  (method, path, query) =>
    send(method, `${url}/webhdfs/v1${path}?${query}&user.name=root`)

/** `node:http`, since data nodes send a "100 Continue" that nobody asked for, which undici refuses. */
function send(method: string, url: string, body = ''): Promise<any> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, timeout: 20_000 }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      answer.on('error', reject)
      answer.on('end', () => {
        if (answer.statusCode! < 300) resolve(text === '' ? null : JSON.parse(text))
        else reject(new Error(`${method} ${url}: ${answer.statusCode} ${text.slice(0, 500)}`))
      })
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    sent.on('error', reject)
    sent.end(body)
  })
}
