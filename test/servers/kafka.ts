/** Apache Kafka, one node or several (KRaft: broker and controller each) on loopback. Its properties: https://kafka.apache.org/documentation/#brokerconfigs. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { makeCertificate } from '../certificate.ts'
import { installed, serversDir } from './cache.ts'
import { type KafkaAnswers, startKafkaAnswers } from './kafka-answers.ts'
import { installJars, log4j } from './maven.ts'
import { accepts, freePorts, type ServerProcess, startProcess } from './process.ts'
import { startProxy, type TcpProxy } from './proxy.ts'

export const KAFKA_VERSION = '4.4.0'
const DIR = `kafka-${KAFKA_VERSION}`

/** The folder of its jars, or null. */
export const kafkaJars = () => (installed(DIR, 'libs', `kafka_2.13-${KAFKA_VERSION}.jar`) === null ? null : jars())
const jars = () => join(serversDir(), DIR, 'libs')

/** Maven fetches the broker and all that it needs. @throws when Maven or Java is missing */
export function installKafka(): void {
  installJars(DIR, [
    ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
    ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.5'],
  ])
}

/** Java's compiler, or null: {@link KafkaServer.iam} needs it. */
export const javac = (): string | null =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'javac'))
    .find((file) => existsSync(file)) ?? null

export interface KafkaServer {
  /** `127.0.0.1:<port>` without encryption or login. */
  readonly broker: string
  /** `localhost:<port>` with TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512): {@link KAFKA_USER}, {@link KAFKA_PASSWORD}. */
  readonly secure: string
  /** `localhost:<port>` with TLS that asks for a certificate and takes {@link client} alone; no login. */
  readonly mutual: string
  /** PEM. */
  readonly client: { cert: string; key: string }
  /**
   * `localhost:<port>` with TLS and a login by AWS IAM as Amazon MSK has it (MskTokens.java), for {@link KAFKA_IAM}; it must be renewed every
   * {@link KAFKA_REAUTH_MS}. Nothing listens there unless it was asked for.
   */
  readonly iam: string
  /** Leads to a listener without encryption or login that names the cluster's proxies as its brokers: who begins here goes through them alone. */
  readonly proxy: TcpProxy
  /** What becomes of single answers on their way to {@link proxy}; only where it was asked for. */
  readonly answers: KafkaAnswers | null
  /** PEM of its certificate. */
  readonly ca: string
  readonly server: ServerProcess
  /** Graceful stop and start on the same ports and data. */
  restart(): Promise<void>
  /** kill -9 and start on the same ports and data. */
  crash(): Promise<void>
  /** Stops it, removes everything. */
  close(): Promise<void>
}

export const KAFKA_USER = 'alice'
export const KAFKA_PASSWORD = 'alice-secret'
export const KAFKA_IAM = {
  region: 'eu-central-1',
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'secret with/odd+characters',
  sessionToken: 'token/with+odd=characters&more==',
}
export const KAFKA_REAUTH_MS = 3_000

export interface KafkaClusterOptions {
  iam?: boolean
  /** Puts {@link KafkaServer.answers} before the proxy. */
  answers?: boolean
  /** The host that {@link KafkaServer.secure} has, and that brokers name there. */
  secureHost?: string
  /** PEM; one for `localhost` and 127.0.0.1 when left out. */
  certificate?: { cert: string; key: string }
  /** Users of {@link KafkaServer.secure} (PLAIN) with their passwords, who may do what ACLs allow them and no more; whoever comes without a login may do everything. */
  restricted?: Readonly<Record<string, string>>
}

/** Topics are not made by themselves: tests make their own. */
export async function startKafka(options: KafkaClusterOptions = {}): Promise<KafkaServer> {
  return (await startKafkaCluster(1, options))[0]!
}

/** A cluster: topics have as many copies as it has nodes, of which most must be in sync. Node `i` has the id `i + 1`. */
export async function startKafkaCluster(
  nodes: number,
  {
    iam = false,
    answers = false,
    secureHost = 'localhost',
    certificate = makeCertificate(),
    restricted,
  }: KafkaClusterOptions = {},
): Promise<KafkaServer[]> {
  if (kafkaJars() === null) throw new Error('Kafka is not installed: npm run servers')
  const ports = await freePorts(6 * nodes)
  const places = Array.from({ length: nodes }, (_, i) => {
    const [port, securePort, mutualPort, iamPort, proxiedPort, controller] = ports.slice(6 * i) as Ports
    return {
      id: i + 1,
      certificate,
      secureHost,
      port,
      securePort,
      mutualPort,
      iamPort,
      proxiedPort,
      controller,
      iam,
      answers,
      restricted,
    }
  })
  const voters = places.map(({ id, controller }) => `${id}@127.0.0.1:${controller}`).join(',')
  return await Promise.all(places.map((place) => startNode({ ...place, voters, copies: nodes })))
}

type Ports = [number, number, number, number, number, number]

interface Node {
  id: number
  certificate: { cert: string; key: string }
  secureHost: string
  port: number
  securePort: number
  mutualPort: number
  iamPort: number
  iam: boolean
  answers: boolean
  restricted: Readonly<Record<string, string>> | undefined
  proxiedPort: number
  controller: number
  voters: string
  copies: number
}

async function startNode(node: Node): Promise<KafkaServer> {
  const { port, securePort, mutualPort, iamPort, proxiedPort } = node
  const dir = mkdtempSync(join(tmpdir(), 'vedette-kafka-'))
  const { cert, key } = node.certificate
  writeFileSync(join(dir, 'server.pem'), `${key}${cert}`, { mode: 0o600 })
  const client = makeCertificate('client')
  writeFileSync(join(dir, 'client.pem'), client.cert)
  writeFileSync(join(dir, 'log4j2.yaml'), log4j('INFO'))
  if (node.iam) {
    const source = join(import.meta.dirname, 'MskTokens.java')
    await promisify(execFile)('javac', ['-d', dir, '-cp', join(jars(), '*'), source])
  }
  const answers = node.answers ? await startKafkaAnswers(proxiedPort) : null
  const proxy = await startProxy(answers?.port ?? proxiedPort)
  const properties = join(dir, 'server.properties')
  writeFileSync(properties, settings(dir, node, proxy), { mode: 0o600 })
  const java = (main: string, ...args: string[]) => [
    ...['-Xmx512m', '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'],
    ...[`-Dlog4j2.configurationFile=${join(dir, 'log4j2.yaml')}`, '-cp', `${jars()}/*:${dir}`, main, ...args],
  ]
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${KAFKA_USER},password=${KAFKA_PASSWORD}]`,
  ])
  const format = java('kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', properties, ...scram)
  await promisify(execFile)('java', format)
  const start = () =>
    startProcess('java', java('kafka.Kafka', properties), {
      ready: async (server) => server.output().includes('Kafka Server started') && (await accepts(port)),
      timeoutMs: 180_000,
    })
  let server = await start().catch(async (error) => {
    await Promise.all([proxy.close(), answers?.close()])
    throw error
  })
  return {
    broker: `127.0.0.1:${port}`,
    secure: `${node.secureHost}:${securePort}`,
    mutual: `localhost:${mutualPort}`,
    client,
    iam: `localhost:${iamPort}`,
    proxy,
    answers,
    ca: cert,
    get server() {
      return server
    },
    async restart() {
      await server.stop(60_000)
      server = await start()
    },
    async crash() {
      await server.kill()
      server = await start()
    },
    async close() {
      await Promise.all([server.kill(), proxy.close(), answers?.close()])
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

function settings(
  dir: string,
  {
    id,
    secureHost,
    port,
    securePort,
    mutualPort,
    iamPort,
    iam,
    restricted,
    proxiedPort,
    controller,
    voters,
    copies,
  }: Node,
  proxy: TcpProxy,
): string {
  const direct = [
    `PLAINTEXT://127.0.0.1:${port}`,
    `SASL_SSL://${secureHost}:${securePort}`,
    `MUTUAL://localhost:${mutualPort}`,
    ...(iam ? [`IAM://localhost:${iamPort}`] : []),
  ].join()
  const replicated = [
    'default.replication.factor',
    'offsets.topic.replication.factor',
    'transaction.state.log.replication.factor',
    'share.coordinator.state.topic.replication.factor',
  ]
  const inSync = ['min.insync.replicas', 'transaction.state.log.min.isr', 'share.coordinator.state.topic.min.isr']
  const most = Math.floor(copies / 2) + 1
  const security = 'org.apache.kafka.common.security'
  const users = Object.entries({ [KAFKA_USER]: KAFKA_PASSWORD, ...restricted })
  const logins = users.map(([user, password]) => `user_${user}="${password}"`).join(' ')
  const plain = `${security}.plain.PlainLoginModule required ${logins};`
  return `process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${voters}
listeners=${direct},PROXIED://127.0.0.1:${proxiedPort},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=${direct},PROXIED://127.0.0.1:${proxy.port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,MUTUAL:SSL,IAM:SASL_SSL,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=${join(dir, 'logs')}
offsets.topic.num.partitions=2
transaction.state.log.num.partitions=2
${replicated.map((name) => `${name}=${copies}`).join('\n')}
${inSync.map((name) => `${name}=${most}`).join('\n')}
auto.create.topics.enable=false
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=${plain}
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${security}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${security}.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=${join(dir, 'server.pem')}
ssl.client.auth=none
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location=${join(dir, 'client.pem')}
${restricted === undefined ? '' : AUTHORIZER}
${iam ? iamSettings(`${security}.oauthbearer.OAuthBearerLoginModule`) : ''}
`
}

const AUTHORIZER = `authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS`

function iamSettings(module: string): string {
  const options = Object.entries(KAFKA_IAM).map(([name, value]) => `${name}="${value}"`)
  const oauthbearer = 'listener.name.iam.oauthbearer'
  return `listener.name.iam.sasl.enabled.mechanisms=OAUTHBEARER
${oauthbearer}.sasl.jaas.config=${module} required ${options.join(' ')};
${oauthbearer}.sasl.server.callback.handler.class=MskTokens
${oauthbearer}.sasl.login.callback.handler.class=MskTokens
${oauthbearer}.connections.max.reauth.ms=${KAFKA_REAUTH_MS}`
}
