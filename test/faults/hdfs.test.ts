/** HDFS: see delivery.ts. With one name node, and with two. */
import { after } from 'node:test'
import { sharedServer } from '../origins/broker.ts'
import { hdfsAdapter, hdfsCommon, hdfsSender, hdfsSpecOf } from '../origins/hdfs.ts'
import { startHdfs } from '../servers/hdfs.ts'
import { type NameNodePair, startNameNodes } from '../servers/name-nodes.ts'
import { deliveryContract } from './delivery.ts'
import { type Rig, waitFor } from './rig.ts'

const hdfs = sharedServer(() => startHdfs({ files: false }))
after(hdfs.close)

deliveryContract(hdfsAdapter(hdfs.get))

deliveryContract({
  ...hdfsCommon,
  variant: 'two name nodes',
  otherwise: true,
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
})

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
