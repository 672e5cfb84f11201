import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeCertificate } from '../certificate.ts'
import { installed, serversDir } from './cache.ts'
import { installJars, log4j } from './maven.ts'
import { accepts, freePorts, type ServerProcess, startProcess } from './process.ts'

/** The last that runs on Java 17. */
export const PULSAR_VERSION = '4.2.4'
const DIR = `pulsar-${PULSAR_VERSION}`

/** The folder of its jars, or null. */
export const pulsarJars = () =>
  installed(DIR, 'libs', `pulsar-broker-${PULSAR_VERSION}.jar`) === null ? null : join(serversDir(), DIR, 'libs')

/** Maven fetches the broker and all that it needs. @throws when Maven or Java is missing */
export function installPulsar(): void {
  // Left to itself Maven mixes versions that do not run together.
  installJars(DIR, [['org.apache.pulsar', 'pulsar-broker', PULSAR_VERSION]], {
    managed: [['org.apache.zookeeper', 'zookeeper', '3.9.5']],
    boms: [
      ['org.apache.logging.log4j', 'log4j-bom', '2.25.4'],
      ['io.netty', 'netty-bom', '4.1.136.Final'],
      ['com.fasterxml.jackson', 'jackson-bom', '2.18.9'],
      ['io.opentelemetry', 'opentelemetry-bom', '1.62.0'],
      ['io.grpc', 'grpc-bom', '1.75.0'],
    ],
  })
}

export interface PulsarServer {
  /** `pulsar://127.0.0.1:<port>`. */
  readonly url: string
  /** `pulsar+ssl://localhost:<port>`, when it is secured. */
  readonly secureUrl: string
  /** Of its REST API, `http://127.0.0.1:<port>`. */
  readonly webUrl: string
  /** `https://localhost:<port>`, when it is secured. */
  readonly secureWebUrl: string
  /** PEM of its certificate, which it also takes from a client. */
  readonly ca: string
  /** PEM of the certificate's key. */
  readonly key: string
  /** A token that it takes, when it is secured. */
  readonly token: string
  readonly server: ServerProcess
  /** A REST call of its administration, e.g. `PUT`, `persistent/public/default/t/partitions`. @throws when it is refused */
  admin(method: string, path: string, body?: unknown): Promise<unknown>
  /** @param query such as `compressionType=LZ4` */
  producer(topic: string, query?: string): Promise<PulsarProducer>
  /** Graceful stop and start on the same ports and data. */
  restart(): Promise<void>
  /** Stops it, removes everything. */
  close(): Promise<void>
}

export interface PulsarProducer {
  /** Sends texts in order; resolves when the broker has them. */
  send(texts: string[], key?: string): Promise<void>
  close(): void
}

/** Topics are made when they are used. @param secured with TLS, and login by token */
export async function startPulsar({ secured = false }: { secured?: boolean } = {}): Promise<PulsarServer> {
  const jars = pulsarJars()
  if (jars === null) throw new Error('Pulsar is not installed: npm run servers')
  const dir = mkdtempSync(join(tmpdir(), 'vedette-pulsar-'))
  const [broker, web, bookie, tls, webTls] = (await freePorts(5)) as [number, number, number, number, number]
  const { cert, key } = makeCertificate()
  const secret = randomBytes(32)
  const token = tokenOf(secret, 'admin')
  writeFileSync(join(dir, 'cert.pem'), cert)
  writeFileSync(join(dir, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(dir, 'secret.key'), secret, { mode: 0o600 })
  writeFileSync(join(dir, 'log4j2.yaml'), log4j('WARN'))
  const conf = join(dir, 'standalone.conf')
  const more = secured ? security(dir, tls, webTls, token) : ''
  writeFileSync(conf, `${brokerSettings(broker, web)}${STANDALONE}${more}`, { mode: 0o600 })
  const headers: Record<string, string> = secured ? { authorization: `Bearer ${token}` } : {}
  const call = (method: string, path: string, body?: unknown) =>
    fetch(`http://127.0.0.1:${web}/admin/v2/${path}`, {
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const start = () =>
    startProcess(
      'java',
      [
        ...javaArguments(dir, jars),
        ...['org.apache.pulsar.PulsarStandaloneStarter', '--config', conf],
        ...['--no-functions-worker', '--no-stream-storage', '--advertised-address', '127.0.0.1'],
        ...['--bookkeeper-dir', join(dir, 'bk'), '--metadata-dir', join(dir, 'meta')],
        ...['--bookkeeper-port', String(bookie), '--num-bookies', '1'],
      ],
      {
        // It says that it is ready before it is.
        ready: async () =>
          (await accepts(broker)) && (await (await call('GET', 'namespaces/public')).text()).includes('public/default'),
        timeoutMs: 180_000,
      },
    )
  let server = await start()
  return {
    url: `pulsar://127.0.0.1:${broker}`,
    secureUrl: `pulsar+ssl://localhost:${tls}`,
    webUrl: `http://127.0.0.1:${web}`,
    secureWebUrl: `https://localhost:${webTls}`,
    ca: cert,
    key,
    token,
    get server() {
      return server
    },
    async admin(method, path, body) {
      const answer = await call(method, path, body)
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      return text === '' ? null : JSON.parse(text)
    },
    producer: (topic, query = '') =>
      produce(`ws://127.0.0.1:${web}/ws/v2/producer/persistent/public/default/${topic}?${query}`, headers),
    async restart() {
      await server.stop(60_000)
      server = await start()
    },
    async close() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** https://pulsar.apache.org/docs/client-libraries-websocket/#producer-endpoint */
async function produce(url: string, headers: Record<string, string>): Promise<PulsarProducer> {
  const socket = new WebSocket(url, { headers } as never)
  const waiting = new Map<string, PromiseWithResolvers<void>>()
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('error', () => reject(new Error(`${url} cannot be opened`)), { once: true })
  })
  let sent = 0
  socket.addEventListener('message', ({ data }) => {
    const { result, errorMsg, context } = JSON.parse(String(data))
    const one = waiting.get(context)
    waiting.delete(context)
    if (result === 'ok') one?.resolve()
    else one?.reject(new Error(errorMsg))
  })
  socket.addEventListener('close', () => {
    for (const one of waiting.values()) one.reject(new Error('the producer is closed'))
    waiting.clear()
  })
  return {
    async send(texts, key) {
      if (socket.readyState !== WebSocket.OPEN) throw new Error('the producer is closed')
      await Promise.all(
        texts.map((text) => {
          const context = String(sent++)
          const one = Promise.withResolvers<void>()
          waiting.set(context, one)
          socket.send(JSON.stringify({ payload: Buffer.from(text).toString('base64'), context, key }))
          return one.promise
        }),
      )
    },
    close: () => socket.close(),
  }
}

/** Sends messages `{"n":0,"pad":"…"}` with Pulsar's own client for Java. Resolves when the broker has them. */
export async function sendChunksInJava(
  url: string,
  topic: string,
  {
    compression,
    chunkBytes,
    messages,
    bytes,
  }: { compression: string; chunkBytes: number; messages: number; bytes: number },
): Promise<void> {
  const program = new URL('ChunkingProducer.java', import.meta.url).pathname
  const args = [url, topic, compression, ...[chunkBytes, messages, bytes].map(String)]
  await promisify(execFile)('java', ['-cp', `${pulsarJars()}/*`, program, ...args])
}

/** A JSON Web Token, HS256. */
export function tokenOf(secret: Uint8Array, subject: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const head = `${part({ alg: 'HS256' })}.${part({ sub: subject })}`
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`
}

const OPENED = [
  'sun.net',
  'java.lang',
  'java.io',
  'java.util.zip',
  'jdk.internal.platform',
  'java.nio',
  'jdk.internal.misc',
]

/** For Java itself. @param dir holds the configuration of its log */
export const javaArguments = (dir: string, jars: string): string[] => [
  ...['-Xms128m', '-Xmx512m', '-XX:MaxDirectMemorySize=384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  ...OPENED.flatMap((name) => ['--add-opens', `java.base/${name}=ALL-UNNAMED`]),
  ...['--add-opens', 'java.management/sun.management=ALL-UNNAMED'],
  ...['--add-opens', 'jdk.management/com.sun.management.internal=ALL-UNNAMED'],
  ...['-Dio.netty.tryReflectionSetAccessible=true', `-Dlog4j2.configurationFile=${join(dir, 'log4j2.yaml')}`],
  ...['-cp', `${jars}/*`],
]

/** @param zookeeper the port of the one that holds the metadata */
export const brokerSettings = (broker: number, web: number, zookeeper?: number): string => {
  const metadata = zookeeper === undefined ? '' : `zk:127.0.0.1:${zookeeper}`
  return `metadataStoreUrl=${metadata}
configurationMetadataStoreUrl=${metadata}
metadataStoreSessionTimeoutMillis=10000
clusterName=standalone
brokerServicePort=${broker}
webServicePort=${web}
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
functionsWorkerEnabled=false
transactionCoordinatorEnabled=false
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
managedLedgerCacheSizeMB=64
loadBalancerEnabled=${zookeeper !== undefined}
loadBalancerSheddingEnabled=false
loadBalancerAutoBundleSplitEnabled=false
brokerDeduplicationEnabled=true
allowAutoTopicCreation=true
defaultNumberOfNamespaceBundles=4
numIOThreads=2
numHttpServerThreads=8
`
}

const STANDALONE = `webSocketServiceEnabled=true
isRunningStandalone=true
listeningInterface=lo
allowLoopback=true
allowEphemeralPorts=true
`

const security = (dir: string, tls: number, webTls: number, token: string) => `brokerServicePortTls=${tls}
webServicePortTls=${webTls}
tlsCertificateFilePath=${join(dir, 'cert.pem')}
tlsKeyFilePath=${join(dir, 'key.pem')}
tlsTrustCertsFilePath=${join(dir, 'cert.pem')}
authenticationEnabled=true
authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken,org.apache.pulsar.broker.authentication.AuthenticationProviderTls
tokenSecretKey=file://${join(dir, 'secret.key')}
brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken
brokerClientAuthenticationParameters=token:${token}
`
