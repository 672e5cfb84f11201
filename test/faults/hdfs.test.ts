/** HDFS, a directory per message: see delivery.ts. What nobody saw is found by looking. */
import { after } from 'node:test'
import { without } from '../servers/cache.ts'
import { type HdfsServer, hadoopJars, startHdfs } from '../servers/hdfs.ts'
import { type NameNodePair, startNameNodes } from '../servers/name-nodes.ts'
import { type Broker, type DeliveryAdapter, deliveryContract } from './delivery.ts'
import { dataOf, type Rig, waitFor } from './rig.ts'

let server: Promise<HdfsServer> | null = null
/** One for all tests of this file: it takes seconds to start. */
const hdfs = (): Promise<HdfsServer> => {
  server ??= startHdfs({ files: false })
  return server
}
after(async () => (await server)?.close())

const common: Pick<DeliveryAdapter, 'type' | 'guarantee' | 'skip' | 'gapMs' | 'numberOf'> = {
  type: 'hdfs',
  guarantee: 'exactly-once',
  skip: without('Hadoop', hadoopJars()),
  // A look asks a name node, whose Java may be busy.
  gapMs: 5_000,
  numberOf: (line) => Number(dataOf(line).name.split('/').at(-1)),
}

const specOf = (name: string, urls: string[]): string => `directory: /${name}/
pathRegexp: ^n/
type: CREATE
checkInterval: 100ms
addresses: [127.0.0.1:8020]
webhdfsAddresses: ${JSON.stringify(urls)}
hdfsUser: root`

/** Making one that is there is no error and no event. */
const sender =
  (name: string, call: HdfsServer['call']): Broker['send'] =>
  async (texts) => {
    for (const text of texts) await call('PUT', `/${name}/n/${JSON.parse(text).n}`, 'op=MKDIRS')
  }

deliveryContract({
  ...common,
  async start(_, name) {
    const { url, call, restart } = await hdfs()
    await call('PUT', `/${name}/n`, 'op=MKDIRS')
    return { spec: specOf(name, [url]), send: sender(name, call), restart, close: async () => {} }
  },
})

deliveryContract({
  ...common,
  variant: 'two name nodes',
  otherwise: true,
  async start(_, name) {
    const pair = await startNameNodes()
    const [one, other] = pair.nodes
    await one.call('PUT', `/${name}/n`, 'op=MKDIRS')
    return {
      spec: specOf(
        name,
        pair.nodes.map(({ url }) => url),
      ),
      send: sender(name, (...args) => one.call(...args).catch(() => other.call(...args))),
      restart: (rig) => changeNameNodes(pair, rig),
      close: () => pair.close(),
    }
  },
})

/** A failover; kill -9 of the active one, later made good by the other; both down. The first one is active before. */
async function changeNameNodes(pair: NameNodePair, rig: Rig): Promise<void> {
  const says = (words: RegExp | null) =>
    waitFor(async () => {
      const { error } = (await rig.status()).eventSources[0]!.entries[0]!
      return words === null ? error === null : words.test(error ?? '')
      // It is asked with growing pauses.
    }, 60_000)
  const [one, other] = pair.nodes
  await pair.failover(1)
  await says(null)
  await other.server.kill()
  await says(/nothing listens there.*; .* is a standby/)
  await pair.failover(0)
  await says(null)
  await one.server.kill()
  await says(/nothing listens there.*; .*nothing listens there/)
  await Promise.all([one.start(), other.start()])
  await says(/no name node is active: .* is a standby; .* is a standby/)
  await pair.failover(1)
  await says(null)
}
