/** HDFS for tests of delivery, a directory per message. What nobody saw is found by looking. */

import { dataOf, type Rig, waitFor } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { type HdfsServer, hadoopJars, startHdfs } from '../servers/hdfs.ts'
import { type NameNodePair, startNameNodes } from '../servers/name-nodes.ts'
import type { Broker, DeliveryAdapter } from './broker.ts'
import { type ContractAdapter, looked, type Share } from './suites.ts'

export const hdfsCommon: Pick<DeliveryAdapter, 'type' | 'guarantee' | 'skip' | 'gapMs' | 'numberOf'> = {
  type: 'hdfs',
  guarantee: 'exactly-once',
  skip: without('Hadoop', hadoopJars()),
  // A look asks a name node, whose Java may be busy.
  gapMs: 5_000,
  numberOf: (line) => Number(dataOf(line).name.split('/').at(-1)),
}

export const hdfsSpecOf = (name: string, urls: string[]): string => `directory: /${name}/
pathRegexp: ^n/
type: CREATE
checkInterval: 100ms
addresses: [127.0.0.1:8020]
webhdfsAddresses: ${JSON.stringify(urls)}
hdfsUser: root`

/** Making one that is there is no error and no event. */
export const hdfsSender =
  (name: string, call: HdfsServer['call']): Broker['send'] =>
  async (texts) => {
    for (const text of texts) await call('PUT', `/${name}/n/${JSON.parse(text).n}`, 'op=MKDIRS')
  }

export const hdfsAdapter = (server: () => Promise<HdfsServer>): DeliveryAdapter => ({
  ...hdfsCommon,
  async start(_, name) {
    const hdfs = await server()
    const { url, call, restart } = hdfs
    await call('PUT', `/${name}/n`, 'op=MKDIRS')
    return {
      spec: hdfsSpecOf(name, [url]),
      send: hdfsSender(name, call),
      restart,
      server: () => hdfs.server,
      close: async () => {},
    }
  },
})

const nameNodesAdapter: DeliveryAdapter = {
  ...hdfsCommon,
  variant: 'two name nodes',
  async start(_, name) {
    const pair = await startNameNodes()
    const [one, other] = pair.nodes
    await one.call('PUT', `/${name}/n`, 'op=MKDIRS')
    return {
      spec: hdfsSpecOf(
        name,
        pair.nodes.map(({ url }) => url),
      ),
      send: hdfsSender(name, (...args) => one.call(...args).catch(() => other.call(...args))),
      restart: (rig) => changeNameNodes(pair, rig),
      close: () => pair.close(),
    }
  },
}

/** A failover; kill -9 of the active one, later made good by the other; both down. The first one is active before. */
async function changeNameNodes(pair: NameNodePair, rig: Pick<Rig, 'status'>): Promise<void> {
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

export const delivery = (share: Share): DeliveryAdapter[] => [
  hdfsAdapter(share(() => startHdfs({ files: false }))),
  nameNodesAdapter,
]

export const contract = (share: Share): ContractAdapter[] => {
  const server = share(() => startHdfs({ files: false }))
  return [
    {
      skip: hdfsCommon.skip,
      async setUp(_, name) {
        const { url, call } = await server()
        await call('PUT', `/${name}`, 'op=MKDIRS')
        let n = 0
        return {
          spec: {
            ...{ directory: `/${name}`, pathRegexp: '.*', type: 'CREATE', checkInterval: '100ms' },
            ...{ addresses: ['127.0.0.1:8020'], webhdfsAddresses: [url], hdfsUser: 'root' },
          },
          idsOfSeeing: true,
          ready: looked,
          provoke: () => call('PUT', `/${name}/d${n++}`, 'op=MKDIRS'),
        }
      },
    },
  ]
}
