/**
 * HDFS with two real name nodes, each a process of its own: one active, one that stands by, with their log of changes in a directory that they share.
 * Who is active is changed as an operator does it, by `haadmin`. No data nodes: directories only.
 */
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeCertificate } from '../certificate.ts'
import { callsOf, type HdfsServer, hadoopJars } from './hdfs.ts'
import { freePorts, type ServerProcess, startProcess } from './process.ts'

export interface NameNode {
  /** `http://127.0.0.1:<port>` of WebHDFS. */
  readonly url: string
  /** `https://127.0.0.1:<port>`, with `tls`. */
  readonly secureUrl: string
  readonly server: ServerProcess
  readonly call: HdfsServer['call']
  /** Starts it again after it was killed or stopped; it stands by. */
  start(): Promise<void>
}

export interface NameNodePair {
  readonly nodes: readonly [NameNode, NameNode]
  /** The folder of Hadoop's configuration, for servers and clients. */
  readonly configuration: string
  /** PEM: of the authority that the name nodes' certificate is from, and of a client that the second one takes; with `tls`. */
  readonly tls: { ca: string; cert: string; key: string }
  /** Makes the other one active, whether the one that was still lives or not; resolves when it is. @param to 0 or 1 */
  failover(to: 0 | 1): Promise<void>
  /** Makes that one active although the other one, which does not answer, may think that it is. */
  force(to: 0 | 1): Promise<void>
  close(): Promise<void>
}

const NAMES = ['nn1', 'nn2'] as const
const PASSWORD = 'changeit'

/**
 * A listing has ten entries a page. Permissions are checked, and the superuser is this system's.
 * @param tls they serve HTTPS, too; the second one asks for a certificate of the client
 */
export async function startNameNodes({ tls = false } = {}): Promise<NameNodePair> {
  const jars = hadoopJars()
  if (jars === null) throw new Error('Hadoop is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-name-nodes-'))
  const configuration = join(dir, 'configuration')
  const data = (name: string) => join(dir, name)
  for (const one of ['configuration', 'edits', ...NAMES]) mkdirSync(join(dir, one))
  const ports = await freePorts(6)
  const [rpc, http, https] = [ports.slice(0, 2), ports.slice(2, 4), ports.slice(4, 6)]
  const material = tls ? stores(configuration) : { ca: '', cert: '', key: '' }
  const settings = {
    'dfs.nameservices': 'pair',
    'dfs.ha.namenodes.pair': NAMES.join(','),
    ...Object.fromEntries(
      NAMES.flatMap((name, i) => [
        [`dfs.namenode.rpc-address.pair.${name}`, `127.0.0.1:${rpc[i]}`],
        [`dfs.namenode.http-address.pair.${name}`, `127.0.0.1:${http[i]}`],
        [`dfs.namenode.https-address.pair.${name}`, `127.0.0.1:${https[i]}`],
        [`dfs.namenode.name.dir.pair.${name}`, `file://${data(name)}`],
      ]),
    ),
    'dfs.namenode.shared.edits.dir': `file://${join(dir, 'edits')}`,
    'dfs.client.failover.proxy.provider.pair':
      'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider',
    // Who was active is not reached to be stopped: that is what some tests are about.
    'dfs.ha.fencing.methods': 'shell(/bin/true)',
    'ha.failover-controller.graceful-fence.rpc-timeout.ms': 1_000,
    // So that a client gives up soon while nobody is active.
    'dfs.client.failover.max.attempts': 2,
    'dfs.ls.limit': 10,
    'dfs.permissions.enabled': true,
    'dfs.http.policy': tls ? 'HTTP_AND_HTTPS' : 'HTTP_ONLY',
  }
  const user = userInfo().username
  writeFileSync(
    join(configuration, 'core-site.xml'),
    siteOf({
      'fs.defaultFS': 'hdfs://pair',
      'hadoop.tmp.dir': join(dir, 'tmp'),
      [`hadoop.proxyuser.${user}.hosts`]: '*',
      [`hadoop.proxyuser.${user}.groups`]: '*',
    }),
  )
  writeFileSync(join(configuration, 'hdfs-site.xml'), siteOf(settings))
  const java = (main: string, ...more: string[]) => [
    ...['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', `-Dhadoop.log.dir=${dir}`],
    ...['-cp', `${configuration}:${join(jars, '*')}`, `org.apache.hadoop.hdfs.${main}`, ...more],
  ]
  const nameNode = (i: number) => [
    ...java('server.namenode.NameNode', '-D', `dfs.ha.namenode.id=${NAMES[i]}`),
    ...['-D', `dfs.client.https.need-auth=${tls && i === 1}`],
  ]
  const run = promisify(execFile)
  await run('java', [...nameNode(0), '-format', '-nonInteractive'])
  cpSync(data(NAMES[0]), data(NAMES[1]), { recursive: true })

  const startNode = async (i: number): Promise<NameNode> => {
    const url = `http://127.0.0.1:${http[i]}`
    const call = callsOf(url)
    const start = () =>
      startProcess('java', nameNode(i), {
        // Even one that stands by has read the log of changes then.
        ready: () =>
          call('GET', '/', 'op=LISTSTATUS').then(
            () => true,
            (error) => /StandbyException/.test(error.message),
          ),
        cwd: dir,
        timeoutMs: 120_000,
      })
    let server = await start()
    return {
      url,
      secureUrl: `https://127.0.0.1:${https[i]}`,
      call,
      get server() {
        return server
      },
      async start() {
        server = await start()
      },
    }
  }
  const admin = (...args: string[]) => run('java', java('tools.DFSHAAdmin', ...args), { timeout: 60_000 })
  const [one, other] = await Promise.all([startNode(0), startNode(1)])
  const pair: NameNodePair = {
    nodes: [one, other],
    configuration,
    tls: material,
    async failover(to) {
      await admin('-failover', NAMES[1 - to]!, NAMES[to])
    },
    async force(to) {
      await admin('-transitionToActive', '--forceactive', NAMES[to])
    },
    async close() {
      await Promise.all([one.server.kill(), other.server.kill()])
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
  try {
    await admin('-transitionToActive', NAMES[0])
  } catch (error) {
    await pair.close()
    throw error
  }
  return pair
}

/** A file of Hadoop's configuration. */
export const siteOf = (settings: Readonly<Record<string, string | number | boolean>>): string =>
  `<configuration>\n${Object.entries(settings)
    .map(([name, value]) => `<property><name>${name}</name><value>${value}</value></property>\n`)
    .join('')}</configuration>\n`

/** Makes the key and trust stores of a server in Hadoop's configuration. @returns what a client needs, PEM */
function stores(configuration: string): { ca: string; cert: string; key: string } {
  const keytool = (...args: string[]) => execFileSync('keytool', [...args, '-storepass', PASSWORD], { stdio: 'pipe' })
  const [keys, trust, ca, client] = ['keys.p12', 'trust.p12', 'ca.pem', 'client.pem'].map((name) =>
    join(configuration, name),
  )
  const names = ['-dname', 'CN=localhost', '-ext', 'san=dns:localhost,ip:127.0.0.1']
  keytool('-genkeypair', '-alias', 'server', '-keyalg', 'RSA', '-keystore', keys!, '-storetype', 'PKCS12', ...names)
  keytool('-exportcert', '-rfc', '-alias', 'server', '-file', ca!, '-keystore', keys!)
  const { cert, key } = makeCertificate('client', { rsa: true })
  writeFileSync(client!, cert)
  keytool('-importcert', '-noprompt', '-file', client!, '-keystore', trust!, '-storetype', 'PKCS12')
  writeFileSync(
    join(configuration, 'ssl-server.xml'),
    siteOf({
      'ssl.server.keystore.location': keys!,
      'ssl.server.keystore.password': PASSWORD,
      'ssl.server.keystore.keypassword': PASSWORD,
      'ssl.server.keystore.type': 'PKCS12',
      'ssl.server.truststore.location': trust!,
      'ssl.server.truststore.password': PASSWORD,
      'ssl.server.truststore.type': 'PKCS12',
    }),
  )
  return { ca: readFileSync(ca!, 'utf8'), cert, key }
}
