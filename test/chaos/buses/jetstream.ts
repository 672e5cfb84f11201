/** NATS JetStream: one server or three, each behind a proxy. */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { assertFenced, readStream, type StreamLog } from '../../faults/stream-log.ts'
import { busAt } from '../../faults/world.ts'
import { startNats } from '../../servers/nats.ts'
import { startProxy } from '../../servers/proxy.ts'
import type { Scope } from '../scope.ts'
import { termsRise } from '../terms.ts'
import type { BusServer, ChaosBus } from './bus.ts'

export async function jetstreamBus(scope: Scope, nodes: 1 | 3): Promise<ChaosBus> {
  const nats = await startNats({ nodes, advertise: false })
  scope.after(() => nats.close())
  const proxies = await Promise.all(nats.servers.map(({ port }) => startProxy(port)))
  scope.after(() => Promise.all(proxies.map((proxy) => proxy.close())))
  const nc = await connect({ servers: nats.urls, maxReconnectAttempts: -1, reconnectTimeWait: 100 })
  scope.after(() => nc.close())
  /** What was there before it was taken away. */
  const before: StreamLog = { events: [], records: [] }
  const add = (log: StreamLog) => {
    before.events.push(...log.events)
    before.records.push(...log.records)
  }
  const serverAt = (index: number): BusServer => ({
    kill: () => nats.servers[index]!.kill(),
    freeze: async () => nats.servers[index]!.freeze(),
    thaw: async () => nats.servers[index]!.thaw(),
    stop: () => nats.servers[index]!.stop(),
    start: async () => void (await nats.servers[index]!.restart()),
  })
  const urls = proxies.map(({ port }) => `nats://127.0.0.1:${port}`)
  return {
    document: busAt(urls, { stream: { replicas: nodes } }),
    ...{ kind: 'jetstream', repeats: false, proxies },
    servers: nats.servers.map((_, index) => serverAt(index)),
    markOf: (host) => `"name":"vedette host-${host}"`,
    async read() {
      add(await readStream(nc))
      return {
        events: before.events,
        fenced() {
          assertFenced(before)
          return termsRise(before.events)
        },
      }
    },
    async wipe(how) {
      add(await readStream(nc))
      const jsm = await jetstreamManager(nc, { checkAPI: false })
      if (how === 'purge') await jsm.streams.purge('default')
      else await jsm.streams.delete('default')
    },
  }
}
