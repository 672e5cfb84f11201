/** HttpFS, Hadoop's gateway to HDFS over HTTP: a process of its own in front of name nodes. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, serversDir } from './cache.ts'
import { callsOf, type HdfsServer } from './hdfs.ts'
import { installJars } from './maven.ts'
import { siteOf } from './name-nodes.ts'
import { freePorts, type ServerProcess, startProcess } from './process.ts'

/** The newest that there is on Maven Central. */
export const HTTPFS_VERSION = '3.4.2'
const DIR = `httpfs-${HTTPFS_VERSION}`

/** The folder of its jars, or null. */
export const httpfsJars = () =>
  installed(DIR, 'libs', `hadoop-hdfs-httpfs-${HTTPFS_VERSION}.jar`) === null ? null : join(serversDir(), DIR, 'libs')

/** @throws when Maven or Java is missing */
export const installHttpfs = () =>
  installJars(
    DIR,
    ['hadoop-hdfs-httpfs', 'hadoop-hdfs-client'].map(
      (artifact) => ['org.apache.hadoop', artifact, HTTPFS_VERSION] as const,
    ),
  )

export interface HttpfsServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly server: ServerProcess
  readonly call: HdfsServer['call']
  close(): Promise<void>
}

/** @param configuration the folder with Hadoop's configuration of its clients, whose name nodes let this system's user act as others */
export async function startHttpfs(configuration: string): Promise<HttpfsServer> {
  const jars = httpfsJars()
  if (jars === null) throw new Error('HttpFS is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-httpfs-'))
  for (const one of ['log', 'temp']) mkdirSync(join(dir, one))
  const [port] = await freePorts(1)
  writeFileSync(join(dir, 'httpfs-signature.secret'), randomBytes(24).toString('base64'))
  writeFileSync(
    join(dir, 'httpfs-site.xml'),
    siteOf({
      'httpfs.http.port': port!,
      'httpfs.http.hostname': '127.0.0.1',
      'httpfs.hadoop.config.dir': configuration,
      'hadoop.http.temp.dir': join(dir, 'http'),
    }),
  )
  const url = `http://127.0.0.1:${port}`
  const call = callsOf(url)
  const folders = { home: dir, config: dir, log: join(dir, 'log'), temp: join(dir, 'temp') }
  const server = await startProcess(
    'java',
    [
      ...['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      // JAXB of its Jersey is older than Java's modules.
      '--add-opens=java.base/java.lang=ALL-UNNAMED',
      ...Object.entries(folders).map(([name, path]) => `-Dhttpfs.${name}.dir=${path}`),
      ...['-cp', `${dir}:${join(jars, '*')}`, 'org.apache.hadoop.fs.http.server.HttpFSServerWebServer'],
    ],
    { ready: async () => (await call('GET', '/', 'op=LISTSTATUS')) !== null, cwd: dir, timeoutMs: 120_000 },
  )
  return {
    url,
    server,
    call,
    async close() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}
