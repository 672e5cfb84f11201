/** The origins that can be drawn, by name: real brokers wherever there is one. */

import { amqpAdapters } from '../origins/amqp.ts'
import { eventHubsAdapter } from '../origins/azureEventsHub.ts'
import type { DeliveryAdapter } from '../origins/broker.ts'
import { titleOf } from '../origins/broker.ts'
import { emitterAdapter } from '../origins/emitter.ts'
import { genericAdapter } from '../origins/generic.ts'
import { hdfsAdapter } from '../origins/hdfs.ts'
import { kafkaAdapters } from '../origins/kafka.ts'
import { minioAdapter } from '../origins/minio.ts'
import { mqttAdapters, mqttSharedAdapter } from '../origins/mqtt.ts'
import { natsAdapter } from '../origins/nats.ts'
import { nsqAdapter } from '../origins/nsq.ts'
import { pubSubAdapter } from '../origins/pubSub.ts'
import { pulsarAdapter, pulsarChunksAdapter } from '../origins/pulsar.ts'
import { redisAdapter } from '../origins/redis.ts'
import { resourceAdapter } from '../origins/resource.ts'
import { sqsAdapter } from '../origins/sqs.ts'
import { startElasticmq } from '../servers/elasticmq.ts'
import { startHdfs } from '../servers/hdfs.ts'
import { startKafka } from '../servers/kafka.ts'
import { startProxy, type TcpProxy } from '../servers/proxy.ts'
import { startPulsar } from '../servers/pulsar.ts'
import { startRabbitmq } from '../servers/rabbitmq.ts'
import { directoryOrigin } from './directory-origin.ts'
import { numberedOrigin, type Origin } from './origin.ts'
import type { Lease, Pool } from './pool.ts'
import type { Scope } from './scope.ts'
import { TRAITS } from './traits.ts'

/** Takes servers from the pool, and gives them back. */
interface Leases {
  of<S extends { close(): Promise<unknown> }>(name: string, start: () => Promise<S>): () => Promise<S>
  release(well: boolean): Promise<void>
}

/** For one origin, which has one server however often it is asked for. */
function leasesFrom(pool: Pool): Leases {
  let taken: Promise<Lease<unknown>> | null = null
  return {
    of<S extends { close(): Promise<unknown> }>(name: string, start: () => Promise<S>) {
      return async () => {
        taken ??= pool.lease(name, start, (server) => server.close())
        return (await taken).server as S
      }
    },
    async release(well) {
      const lease = await taken?.catch(() => null)
      await lease?.release(well)
    },
  }
}

const adaptersWith = (leases: Leases): DeliveryAdapter[] => {
  const pulsar = leases.of('pulsar', startPulsar)
  return [
    ...amqpAdapters(leases.of('rabbitmq', startRabbitmq)),
    eventHubsAdapter(),
    emitterAdapter(),
    genericAdapter(),
    hdfsAdapter(leases.of('hdfs', () => startHdfs({ files: false }))),
    ...kafkaAdapters(leases.of('kafka', startKafka)),
    minioAdapter(),
    ...mqttAdapters(),
    mqttSharedAdapter(),
    natsAdapter(),
    natsAdapter({ queue: 'workers' }),
    nsqAdapter(),
    pubSubAdapter(),
    pulsarAdapter(pulsar, 'exclusive'),
    pulsarAdapter(pulsar, 'shared'),
    pulsarChunksAdapter(pulsar, 'exclusive'),
    redisAdapter(),
    resourceAdapter(),
    sqsAdapter(leases.of('elasticmq', startElasticmq)),
  ]
}

const nowhere: Leases = {
  of: () => () => Promise.reject(new Error('no server is started here')),
  release: async () => {},
}

/** Names with the reason why one cannot be had here, or false. */
export function availability(): Map<string, string | false> {
  const adapters = adaptersWith(nowhere).map((adapter): [string, string | false] => [titleOf(adapter), adapter.skip])
  return new Map([...adapters, ['file', false]])
}

/** @param run a name of this run's own, for queues in servers that others use too */
export async function startOrigin(
  { scope, pool, random }: { scope: Scope; pool: Pool; random: () => number },
  name: string,
  run: string,
): Promise<Origin> {
  if (name === 'file') return directoryOrigin(scope, random)
  const leases = leasesFrom(pool)
  const adapter = adaptersWith(leases).find((one) => titleOf(one) === name)
  if (adapter === undefined) throw new Error(`${name} is no origin: one of ${Object.keys(TRAITS).join(', ')}`)
  let proxy: TcpProxy | null = null
  const via = async (port: number) => {
    proxy = await startProxy(port)
    return proxy.port
  }
  try {
    const broker = await adapter.start(scope, run, TRAITS[name]!.can.includes('cut') ? via : undefined)
    return numberedOrigin({
      ...{ name, adapter, broker, proxy: broker.proxy ?? proxy },
      async close() {
        const closed = await Promise.allSettled([broker.close()])
        await (proxy as TcpProxy | null)?.close()
        const well = closed[0].status === 'fulfilled' && broker.server?.().child.exitCode === null
        await leases.release(well)
      },
    })
  } catch (error) {
    await leases.release(false)
    throw error
  }
}
