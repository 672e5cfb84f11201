/** Which EventSources are held back at their deletion: those of whose entries something elsewhere goes with them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '../../kube/resources.ts'
import { loadSource } from '../../sources/index.ts'
import type { Cluster } from '../cluster.ts'
import { guardEventSource } from './deletion.ts'

async function isHeld(spec: object): Promise<boolean> {
  const held: KubeObject[] = []
  const client = { update: async (_: unknown, object: KubeObject) => void held.push(object) }
  const object = { apiVersion: 'v1', kind: 'EventSource', metadata: { name: 'es', namespace: 'ns' }, spec }
  await guardEventSource({ load: loadSource, client } as unknown as Cluster, object as KubeObject)
  return held[0]?.metadata.finalizers?.includes('eventsource-controller') ?? false
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
