/** What is held back at its deletion: EventSources of whose entries something elsewhere goes with them, and buses with servers of their own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '../../kube/resources.ts'
import { loadSource } from '../../sources/index.ts'
import type { Cluster } from '../cluster.ts'
import { settingsFrom } from '../settings.ts'
import { guardEventBus, guardEventSource, guardSensor } from './deletion.ts'

const finalizers = {
  EventSource: 'eventsource-controller',
  EventBus: 'eventbus-controller',
  Sensor: 'sensor-controller',
}
const guards = { EventSource: guardEventSource, EventBus: guardEventBus, Sensor: guardSensor }

interface Given {
  /** Whether Argo Events' controller, or an older one of ours, has held it. */
  before?: boolean
  env?: Record<string, string>
}

/** Whether it is held after a look at it. A hold of somebody else's stays as it is. */
async function isHeld(
  spec: object,
  kind: keyof typeof guards = 'EventSource',
  { before = false, env = {} }: Given = {},
): Promise<boolean> {
  const held: KubeObject[] = []
  const client = {
    update: async (_: unknown, object: KubeObject) => void held.push(object),
  }
  const metadata = { name: 'es', namespace: 'ns', finalizers: ['other', ...(before ? [finalizers[kind]] : [])] }
  const object: KubeObject = { apiVersion: 'argoproj.io/v1alpha1', kind, metadata, spec }
  const cluster = { load: loadSource, client, settings: () => settingsFrom(env) } as unknown as Cluster
  await guards[kind](cluster, object)
  const after = (held[0] ?? object).metadata.finalizers!
  assert.equal(after[0], 'other')
  return after.includes(finalizers[kind])
}

test('held for what an entry asks to be removed, and for nothing else', async () => {
  const mqtt = { url: 'tcp://b:1883', topic: 't', clientId: 'c' }
  for (const [spec, held] of [
    [{ mqtt: { e: mqtt } }, false],
    [{ mqtt: { e: mqtt, f: { ...mqtt, qos: 1 } } }, true],
    [{ mqtt: { e: { ...mqtt, qos: 1, deleteSessionOnFinish: false } } }, false],
    [{ amqp: { e: { queueDeclare: { name: 'q' } } } }, false],
    [{ amqp: { e: { queueDeclare: { name: 'q' }, deleteQueueOnFinish: true } } }, true],
    [{ amqp: { e: { deleteQueueOnFinish: true } } }, false],
    [{ nsq: { e: {} } }, false],
    [{ nsq: { e: { deleteChannelOnFinish: true } } }, true],
    [{ pulsar: { e: {} } }, false],
    [{ pulsar: { e: { deleteSubscriptionOnFinish: true } } }, true],
    [{ pubSub: { e: { topic: 't' } } }, false],
    [{ pubSub: { e: { topic: 't', deleteSubscriptionOnFinish: true } } }, true],
    [{ github: { e: {} } }, true],
    [{ mqtt: null, template: {}, replicas: 3 }, false],
    // What cannot be read may ask for it.
    [{ pulsar: { e: 'text' } }, true],
  ] as const)
    assert.equal(await isHeld(spec), held, JSON.stringify(spec))
})

test('a hold that needs no work is let go of at sight, whoever took it', async () => {
  for (const [spec, held] of [
    [{ webhook: { e: { port: '1', endpoint: '/', method: 'POST' } } }, false],
    [{ calendar: { e: { interval: '1s' } } }, false],
    [{ github: { e: {} } }, true],
  ] as const)
    assert.equal(await isHeld(spec, 'EventSource', { before: true }), held, JSON.stringify(spec))
  assert.equal(await isHeld({}, 'Sensor', { before: true }), false)
  // Argo Events' own controller looks after them.
  assert.equal(await isHeld({}, 'Sensor', { before: true, env: { SENSORS: 'false' } }), true)
})

test('a bus is held for the events on its own servers, and for nothing else', async () => {
  const latest = { version: 'latest' }
  for (const [spec, held] of [
    [{ jetstream: latest }, true],
    [{ jetstream: { ...latest, replicas: 1 } }, true],
    [{ jetstream: { ...latest, replicas: 1, persistence: {} } }, true],
    [{ jetstreamExotic: { url: 'nats://n:4222' } }, false],
    [{ kafka: { url: 'k:9092' } }, false],
    [{ nats: { native: {} } }, true],
    [{ nats: { exotic: {} } }, false],
  ] as const)
    for (const before of [false, true])
      assert.equal(await isHeld(spec, 'EventBus', { before }), held, JSON.stringify(spec))
})
