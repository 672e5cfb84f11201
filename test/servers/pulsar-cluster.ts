/** Two brokers of Pulsar that share their metadata and their storage, so that topics move from one to the other. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { log4j } from './maven.ts'
import { freePorts, type ServerProcess, startProcess } from './process.ts'
import { brokerSettings, javaArguments, pulsarJars } from './pulsar.ts'

/** Of a request that the server fails at, 100 ms apart. */
const MOST_TRIES = 300

export interface PulsarBroker {
  /** `pulsar://127.0.0.1:<port>` */
  readonly url: string
  /** Of its REST API. */
  readonly webUrl: string
  readonly server: ServerProcess
  /** Starts it again on the same ports. */
  start(): Promise<void>
}

export interface PulsarCluster {
  readonly brokers: readonly [PulsarBroker, PulsarBroker]
  /** The broker that has a topic of `public/default`. */
  ownerOf(topic: string): Promise<PulsarBroker>
  /** Its owner closes it and its neighbours, and a broker takes them. @returns when it has them */
  move(topic: string, to: PulsarBroker): Promise<void>
  close(): Promise<void>
}

export async function startPulsarCluster(): Promise<PulsarCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-pulsar-cluster-'))
  writeFileSync(join(dir, 'log4j2.yaml'), log4j('WARN'))
  const java = javaArguments(dir, pulsarJars()!)
  const [zookeeper, bookie, ...ports] = (await freePorts(6)) as [number, number, ...number[]]
  const running: { readonly server: ServerProcess }[] = []
  const close = async () => {
    for (const { server } of running.toReversed()) await server.kill()
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  }
  const startBroker = async (index: number): Promise<PulsarBroker> => {
    const [port, web] = ports.slice(2 * index) as [number, number]
    const conf = join(dir, `broker-${index}.conf`)
    writeFileSync(conf, brokerSettings(port, web, zookeeper))
    const webUrl = `http://127.0.0.1:${web}`
    const start = () =>
      startProcess('java', [...java, 'org.apache.pulsar.PulsarBrokerStarter', '--broker-conf', conf], {
        ready: async () => (await fetch(`${webUrl}/admin/v2/brokers/ready`)).ok,
        timeoutMs: 180_000,
      })
    let server = await start()
    const broker: PulsarBroker = {
      url: `pulsar://127.0.0.1:${port}`,
      webUrl,
      get server() {
        return server
      },
      async start() {
        server = await start()
      },
    }
    running.push(broker)
    return broker
  }
  try {
    const program = new URL('PulsarStorage.java', import.meta.url).pathname
    const storage = await startProcess('java', [...java, program, ...[zookeeper, bookie, dir].map(String)], {
      ready: async ({ output }) => output().includes('storage is ready'),
      timeoutMs: 180_000,
    })
    running.push({ server: storage })
    const stores = ['--metadata-store', '--configuration-metadata-store'].flatMap((name) => [
      name,
      `zk:127.0.0.1:${zookeeper}`,
    ])
    const service = ['-uw', `http://127.0.0.1:${ports[1]}`, '-ub', `pulsar://127.0.0.1:${ports[0]}`, '-bn', '4']
    const setup = ['org.apache.pulsar.PulsarClusterMetadataSetup', '--cluster', 'standalone', ...stores, ...service]
    await promisify(execFile)('java', [...java, ...setup])
    const brokers = [await startBroker(0), await startBroker(1)] as const
    /** As clients ask: again, since while a bundle of topics has no owner yet the answer is an error of the server. */
    const ask = async (path: string, method = 'GET'): Promise<string> => {
      for (let tries = 1; ; tries++) {
        const answer = await fetch(`${brokers[0].webUrl}/${path}`, { method })
        const text = await answer.text()
        if (answer.ok) return text
        if (answer.status < 500 || tries === MOST_TRIES) throw new Error(`${path}: ${answer.status} ${text}`)
        await pause(100)
      }
    }
    const lookup = (topic: string) => `lookup/v2/topic/persistent/public/default/${topic}`
    const ownerOf = async (topic: string): Promise<PulsarBroker> => {
      const { brokerUrl } = JSON.parse(await ask(lookup(topic)))
      return brokers.find(({ url }) => url === brokerUrl)!
    }
    return {
      brokers,
      ownerOf,
      async move(topic, to) {
        const bundle = await ask(`${lookup(topic)}/bundle`)
        const unload = `admin/v2/namespaces/public/default/${bundle}/unload?destinationBroker=${new URL(to.webUrl).host}`
        // The first to ask for a topic of the bundle gets that destination; who asks after it and before it is followed may not.
        for (let tries = 0; tries < 10; tries++) {
          await ask(unload, 'PUT')
          if ((await ownerOf(topic)) === to) return
        }
        throw new Error(`${topic} does not move to ${to.url}`)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
