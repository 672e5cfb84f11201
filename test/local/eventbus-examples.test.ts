/** The examples that have an EventBus run on it: only its address is another. Ticks are on it once each, by one leader. */
import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { type Rig, startRig, waitFor } from '../faults/rig.ts'
import { assertEveryTickOnce, clockOf } from '../faults/ticks.ts'
import { without } from '../servers/cache.ts'
import { kafkaJars, startKafka } from '../servers/kafka.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { exampleFiles, noUpstream, placed } from './examples/example.ts'

const PATIENCE_MS = 60_000

/** The same, as the check of ticks writes it. */
const interval = { 'calendar.tick.interval': '1000ms' }

const tests = {
  'eventbus-jetstream': { skip: without('nats-server', natsBinary('newest')), run: onJetStream },
  'eventbus-kafka': { skip: without('Kafka', kafkaJars()), run: onKafka },
  'upstream-eventbus/native': { skip: noUpstream('upstream-eventbus'), run: embedded },
}

suite('EventBus examples', { concurrency: true, timeout: 300_000 }, () => {
  for (const [file, { skip, run }] of Object.entries(tests)) test(file, { skip }, (t) => run(t, file))
  test('each of them has its test', () => {
    const files = exampleFiles('ours').filter((file) => file.startsWith('eventbus-'))
    const theirs = exampleFiles('upstream-eventbus')
    const tested = Object.keys(tests).filter((file) => theirs.length > 0 || !file.startsWith('upstream'))
    assert.deepEqual([...files, ...theirs].sort(), tested.sort())
  })
})

async function onJetStream(t: TestContext, file: string): Promise<void> {
  const server = await startNats()
  t.after(() => server.close())
  await ticks(t, placed(file, { put: { 'jetstreamExotic.url': server.urls[0], ...interval } }), 'jetstream')
}

async function onKafka(t: TestContext, file: string): Promise<void> {
  const server = await startKafka()
  t.after(() => server.close())
  await ticks(t, placed(file, { put: { 'kafka.url': server.broker, ...interval } }), 'kafka')
}

/** It is one inside Kubernetes. */
async function embedded(t: TestContext, file: string): Promise<void> {
  const rig = await ticks(t, `${placed(file, {})}---\n${clockOf(2, [entryOf(file)], entryOf(file))}`, 'embedded')
  assert.match(rig.log(), /EventBus default \(nats\) is a bus inside Kubernetes: here the embedded bus takes its place/)
}

const entryOf = (file: string) => ({ namespace: file.replace('/', '-'), entry: 'tick', everyMs: 1000 })

async function ticks(t: TestContext, manifest: string, kind: string): Promise<Rig> {
  const rig = await startRig(() => manifest)
  t.after(() => rig.close(t))
  const published = async () => (await rig.status()).eventSources[0]!.entries[0]!.published
  await waitFor(async () => (await published()) >= 3, PATIENCE_MS, 200)
  const { bus, eventSources } = await rig.status()
  assert.deepEqual([bus.kind, bus.fencing, bus.connected], [kind, 'strict', true])
  const { namespace } = eventSources[0]!
  const lines = (await rig.lines()).filter(({ subject }) => subject === 'default.clock.tick')
  assert.ok(assertEveryTickOnce(lines, { namespace, entry: 'tick', everyMs: 1000 }) >= 3)
  assert.equal(await rig.stop(), 0)
  return rig
}
