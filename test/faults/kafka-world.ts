/** A `vedette run` whose EventBus is Kafka, under load, and the judgement of its topic as a reader of what is committed sees it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { openKafka } from '../../src/bus/kafka/bus.ts'
import { partitionerOf } from '../../src/bus/kafka/partitioner.ts'
import { stateTopicOf } from '../../src/bus/kafka/state.ts'
import { connectKafka } from '../../src/clients/kafka.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { readAll } from '../contract/bus.ts'
import { type KafkaServer, startKafkaCluster } from '../servers/kafka.ts'
import { orders, ordersUrl } from './orders.ts'
import { dataOf, everyoneBack, type Leader, nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { type Crowd, startCrowd } from './senders.ts'
import { type Logged, longestPauseMs } from './stream-log.ts'
import { assertEveryTickOnce, clockOf } from './ticks.ts'
import { beats, goesOn, type Verdict } from './world.ts'

const TOPIC = 'default-default'
/** A broker alone takes long to come back. */
export const PATIENCE_MS = 60_000

export interface KafkaWorld {
  /** Node `i` has the id `i + 1`. */
  readonly nodes: KafkaServer[]
  /** The id of the node that leads the topic, or coordinates the transactions of the calendar. */
  nodeOf(what: 'topic' | 'coordinator'): Promise<number>
  readonly rig: Rig
  readonly crowd: Crowd
  leader(): Promise<Leader>
  /** Events of that time must be on the topic, too. */
  beganMs: number
}

export async function startKafkaWorld(t: TestContext, replicas: number, brokers = 1): Promise<KafkaWorld> {
  const ends: (() => unknown)[] = []
  t.after(async () => {
    for (const end of ends.reverse()) await end()
  })
  const nodes = await startKafkaCluster(brokers)
  ends.push(() => Promise.all(nodes.map((node) => node.close())))
  const url = nodes.map(({ broker }) => broker).join(',')
  const client = await connectKafka({ brokers: url.split(','), clientId: 'test' })
  ends.push(() => client.close())
  const bus = `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  kafka:
    url: ${url}
`
  const rig = await startRig((ports) => [bus, clockOf(replicas, beats), orders(replicas)(ports)].join('---\n'))
  ends.push(() => rig.close())
  ends.push(() => t.passed || process.stderr.write(`${rig.log().split('\n').slice(-60).join('\n')}\n`))
  const { kind, fencing, connected } = (await rig.status()).bus
  assert.deepEqual({ kind, fencing, connected }, { kind: 'kafka', fencing: 'strict', connected: true })
  await nextLeader(rig, 'clock', null)
  await everyoneBack(rig)
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 5, pauseMs: 50, attemptTimeoutMs: 30_000 })
  const world: KafkaWorld = {
    nodes,
    rig,
    crowd,
    beganMs: 0,
    leader: () => nextLeader(rig, 'clock', null, 30_000),
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

/**
 * Ends the run and judges: each tick once, nothing of an older term after a newer one, nothing acknowledged lost. What a sender of a
 * webhook repeated may be there twice: this bus knows no ids.
 */
export async function judge(world: KafkaWorld): Promise<Verdict> {
  const { nodes, rig, crowd } = world
  await goesOn(world, PATIENCE_MS)
  await crowd.stop()
  assert.equal(await rig.stop(), 0, 'the run ends with 0')
  const events = await readTopic(nodes.map(({ broker }) => broker))
  const of = (name: string) => events.filter(({ subject }) => subject.startsWith(`default.${name}.`))
  const clock = of('clock')
  let ticks = 0
  for (const entry of beats) {
    ticks += assertEveryTickOnce(
      clock.filter(({ subject }) => subject === `default.clock.${entry.entry}`),
      entry,
    )
  }
  assert.ok(Date.parse(clock[0]!.time) <= world.beganMs, `the first tick on the topic is of ${clock[0]!.time}`)
  let latest = 0
  for (const { seq, term } of clock) {
    assert.ok(term !== null && term >= latest, `event ${seq} of term ${term} was stored after one of term ${latest}`)
    latest = term
  }
  const keys = new Set(of('orders').map((line) => (dataOf(line).body as { key: string }).key))
  const lost = crowd.acknowledged.filter((key) => !keys.has(key))
  assert.deepEqual(lost, [], `${lost.length} acknowledged events are not on the topic`)
  const terms = new Set(clock.map(({ term }) => term)).size
  return { ticks, acknowledged: crowd.acknowledged.length, terms, longestPauseMs: longestPauseMs(clock) }
}

async function readTopic(brokers: string[]): Promise<Logged[]> {
  const bus = openKafka({
    connect: () => connectKafka({ brokers, clientId: 'judge' }),
    topic: TOPIC,
    partitioner: partitionerOf('random'),
    transport: 'plain',
    clock: systemClock,
    log: silentLogger,
  })
  try {
    await waitFor(async () => bus.status().connected, 30_000)
    return (await readAll(bus, {})).map(({ seq, timeMs, subject, namespace, term, event }) => ({
      ...{ seq, subject, namespace, term: term ?? null },
      time: new Date(timeMs).toISOString(),
      event: JSON.parse(Buffer.from(event).toString()),
    }))
  } finally {
    await bus.close()
  }
}
