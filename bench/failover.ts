import { setTimeout as pause } from 'node:timers/promises'
import { connect } from '@nats-io/transport-node'
import { everyoneBack, nextLeader, startRig, waitFor } from '../test/faults/rig.ts'
import { clockOf } from '../test/faults/ticks.ts'
import { kafkaJars, startKafka } from '../test/servers/kafka.ts'
import { startNats } from '../test/servers/nats.ts'
import { eventBus } from './jetstream/contestants.ts'
import { prepareStream } from './jetstream/stream.ts'
import { kafkaBus } from './kafka.ts'
import { ms, percentile, schedulerDelay, table } from './measure.ts'

export interface FailoverOptions {
  kills: number
  say: (line: string) => void
}

/** Kills the leader again and again, on the embedded bus. @returns a table for docs/performance.md */
export async function failoverGaps(options: FailoverOptions): Promise<string> {
  return await gaps(3, '', options)
}

/** The same on three NATS servers, with two replicas and with three. @returns tables for docs/performance.md */
export async function jetstreamFailoverGaps(options: FailoverOptions): Promise<string> {
  const nats = await startNats({ nodes: 3 })
  try {
    await prepareStream(nats.urls)
    const bus = eventBus(nats.urls.join(','))
    const nc = await connect({ servers: nats.urls })
    /** By term, when its first event arrived. */
    const firsts = new Map<number, number>()
    nc.subscribe('default.clock.>', {
      callback: (_, { headers }) => {
        const term = Number(headers?.get('Vedette-Term'))
        if (!firsts.has(term)) firsts.set(term, performance.now())
      },
    })
    const of = async (replicas: number) => {
      firsts.clear()
      return await gaps(replicas, bus, options, firsts)
    }
    try {
      return `Two replicas:\n\n${await of(2)}\n\nThree replicas:\n\n${await of(3)}`
    } finally {
      await nc.close()
    }
  } finally {
    await nats.close()
  }
}

/** The same on one Kafka broker, with two replicas and with three. @returns tables for docs/performance.md */
export async function kafkaFailoverGaps(options: FailoverOptions): Promise<string> {
  if (kafkaJars() === null) return 'Kafka is not installed.'
  const server = await startKafka()
  try {
    const of = (replicas: number) => gaps(replicas, kafkaBus(server.broker), options)
    return `Two replicas:\n\n${await of(2)}\n\nThree replicas:\n\n${await of(3)}`
  } finally {
    await server.close()
  }
}

/** Made up when it is late, so the first of a term comes as soon as its leader serves. */
const tick = { namespace: 'default', entry: 'tick', everyMs: 100 }

/**
 * @param bus an EventBus document, or nothing
 * @param firsts when the first event of each term arrived, if somebody watches the stream
 */
async function gaps(
  replicas: number,
  bus: string,
  { kills, say }: FailoverOptions,
  firsts?: ReadonlyMap<number, number>,
): Promise<string> {
  const rig = await startRig(() => `${bus}${clockOf(replicas, [tick])}`)
  try {
    const outside: number[] = []
    const events: number[] = []
    const noise = schedulerDelay()
    let leader = await nextLeader(rig, 'clock', null)
    for (let i = 0; i < kills; i++) {
      await everyoneBack(rig)
      // At no fixed place within a second, and after a standby may trust its connection.
      await pause(1_100 + Math.random() * 900)
      process.kill(leader.pid, 'SIGKILL')
      const killedMs = performance.now()
      leader = await nextLeader(rig, 'clock', leader)
      outside.push(performance.now() - killedMs)
      if (firsts !== undefined) {
        await waitFor(async () => firsts.has(leader.term))
        events.push(firsts.get(leader.term)! - killedMs)
      }
      say(`failover, ${replicas} replicas, ${i + 1}/${kills}: ${ms(outside.at(-1)!)} ms from outside`)
    }
    const delay = noise.stop()
    const gaps = (await rig.status()).failovers.map(({ gapMs }) => gapMs ?? Number.NaN)
    const row = (what: string, values: number[]) => [
      what,
      ...[0.5, 0.9, 0.99].map((share) => ms(percentile(values, share))),
      ms(Math.max(...values)),
    ]
    return table(
      [`${kills} kills, ms`, 'median', 'p90', 'p99', 'max'],
      [
        row('gap', gaps),
        ...(firsts === undefined ? [] : [row('to the next event', events)]),
        row('from outside', outside),
        ['scheduler delay', ms(delay.p50), '', ms(delay.p99), ''],
      ],
    )
  } finally {
    await rig.close()
  }
}
