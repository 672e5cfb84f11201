/** A `vedette run` whose EventBus is Kafka, under load, and the judgement of its topic as a reader of what is committed sees it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Bus } from '../../src/bus/bus.ts'
import { openKafka } from '../../src/bus/kafka/bus.ts'
import { partitionerOf } from '../../src/bus/kafka/partitioner.ts'
import { stateTopicOf } from '../../src/bus/kafka/state.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { readAll } from '../contract/bus.ts'
import { type KafkaServer, startKafkaCluster } from '../servers/kafka.ts'
import { beats, endLoad, endsOf, goesOn, startLoad } from './load.ts'
import type { Proxied } from './network.ts'
import { waitFor } from './rig.ts'
import { type Logged, loggedOf } from './stream-log.ts'
import { assertTermsRise } from './terms.ts'
import { clockOf, timeOfTick } from './ticks.ts'
import { type Verdict, verdictOn } from './verdict.ts'

const TOPIC = 'default-default'
const CLOCK = { namespace: 'default', name: 'clock' }
/** A broker alone takes long to come back. */
export const PATIENCE_MS = 60_000

export interface KafkaWorld extends Proxied {
  /** Node `i` has the id `i + 1`. */
  readonly nodes: KafkaServer[]
  /** The id of the node that leads the topic, or coordinates the transactions of the calendar. */
  nodeOf(what: 'topic' | 'coordinator'): Promise<number>
  /** Resolves when ticks that were missed have been made up: an outage of more than a minute, in parts, would be one too long. */
  caughtUp(): Promise<void>
  /** Events of that time must be on the topic, too. */
  beganMs: number
}

export async function startKafkaWorld(t: TestContext, replicas: number, size = 1): Promise<KafkaWorld> {
  const ends = endsOf(t)
  const nodes = await startKafkaCluster(size)
  ends.push(() => Promise.all(nodes.map((node) => node.close())))
  const brokers = nodes.map(({ broker }) => broker)
  const client = await connectKafka({ brokers, clientId: 'test' })
  ends.push(() => client.close())
  const proxies = nodes.map(({ proxy }) => proxy)
  const load = await startLoad(t, ends, {
    ...{ replicas, kind: 'kafka', documents: [busAt(proxies.map(({ port }) => `127.0.0.1:${port}`))] },
    // A broker that starts on a busy machine takes more than the minute that is made up without it.
    clock: clockOf(replicas, beats, { catchup: true }),
    ...{ senders: 5, attemptTimeoutMs: 30_000 },
  })
  const world: KafkaWorld = {
    ...load,
    nodes,
    proxies,
    beganMs: 0,
    async caughtUp() {
      await withTopic(brokers, (bus) =>
        waitFor(
          async () => {
            const [last] = await bus.tail(CLOCK, beats[0]!.entry, 1)
            return Date.now() - timeOfTick(last && loggedOf(last), beats[0]) < 5_000
          },
          PATIENCE_MS,
          200,
        ),
      )
    },
    // The replica `clock-0` is in host 0.
    markOf: ({ id }) => `vedette-host-${id.split('-').at(-1)}`,
    async nodeOf(what) {
      if (what === 'topic') return (await client.topic(TOPIC)).leaders[0]!
      const keys = [`${stateTopicOf(TOPIC)}/default/clock`]
      return (await client.admin.findCoordinator({ keyType: 1, keys }))[0]!.nodeId
    },
  }
  // The first term has written before anything happens to it.
  await goesOn(world, PATIENCE_MS)
  world.beganMs = Date.now()
  return world
}

/** @param topic when it is not to have its usual name */
export const busAt = (brokers: string[], topic?: string): string => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  kafka:
    url: ${brokers.join(',')}
${topic === undefined ? '' : `    topic: ${topic}\n`}`

/** Ends the run and judges. What a sender of a webhook repeated may be there twice: this bus knows no ids. */
export async function judge(world: KafkaWorld): Promise<Verdict> {
  await endLoad(world, PATIENCE_MS)
  return verdictOn(await readTopic(world.nodes.map(({ broker }) => broker)), {
    ...{ entries: beats, acknowledged: world.crowd.acknowledged, repeats: true },
    fenced(clock) {
      assert.ok(Date.parse(clock[0]!.time) <= world.beganMs, `the first tick on the topic is of ${clock[0]!.time}`)
      return assertTermsRise(clock).size
    },
  })
}

/** All that is committed, once nothing is open any more. */
export const readTopic = (brokers: string[], topic = TOPIC): Promise<Logged[]> =>
  withTopic(brokers, async (bus) => (await readAll(bus, {})).map(loggedOf), topic)

async function withTopic<T>(brokers: string[], work: (bus: Bus) => Promise<T>, topic = TOPIC): Promise<T> {
  const bus = openKafka({
    connect: () => connectKafka({ brokers, clientId: 'judge' }),
    topic,
    partitioner: partitionerOf('random'),
    transport: 'plain',
    clock: systemClock,
    log: silentLogger,
  })
  try {
    await waitFor(async () => bus.status().connected, 30_000)
    return await work(bus)
  } finally {
    await bus.close()
  }
}
