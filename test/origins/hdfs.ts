/** HDFS for tests of delivery, a directory per message. What nobody saw is found by looking. */

import { dataOf } from '../faults/rig.ts'
import { without } from '../servers/cache.ts'
import { type HdfsServer, hadoopJars } from '../servers/hdfs.ts'
import type { Broker, DeliveryAdapter } from './broker.ts'

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
