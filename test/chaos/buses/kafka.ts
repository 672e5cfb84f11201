/** Kafka: one broker or three, each behind its proxy; a topic of its own for each run. */
import { busAt, readTopic } from '../../faults/kafka-world.ts'
import { type KafkaServer, startKafkaCluster } from '../../servers/kafka.ts'
import type { Pool } from '../pool.ts'
import type { Scope } from '../scope.ts'
import { termsRise } from '../terms.ts'
import type { BusServer, ChaosBus } from './bus.ts'

export async function kafkaBus(scope: Scope, pool: Pool, size: 1 | 3, run: string): Promise<ChaosBus> {
  const lease = await pool.lease(
    `Kafka of ${size}`,
    () => startKafkaCluster(size),
    (nodes) => Promise.all(nodes.map((node) => node.close())),
  )
  const nodes = lease.server
  const proxies = nodes.map(({ proxy }) => proxy)
  scope.after(async () => {
    for (const proxy of proxies) proxy.cut()
    await lease.release(nodes.every(({ server }) => server.child.exitCode === null && server.child.signalCode === null))
  })
  const brokers = nodes.map(({ broker }) => broker)
  return {
    document: busAt(
      proxies.map(({ port }) => `127.0.0.1:${port}`),
      run,
    ),
    ...{ kind: 'kafka', repeats: true, proxies },
    servers: nodes.map(serverOf),
    markOf: (host) => `vedette-host-${host}`,
    async read() {
      const events = await readTopic(brokers, run)
      return { events, fenced: () => termsRise(events) }
    },
  }
}

const serverOf = (node: KafkaServer): BusServer => ({
  kill: () => node.server.kill(),
  freeze: async () => node.server.freeze(),
  thaw: async () => node.server.thaw(),
  stop: () => node.server.stop(60_000),
  start: () => node.restart(),
})
