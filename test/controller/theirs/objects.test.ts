/** What stands for Argo Events' controller makes what was observed of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goldenIn } from '../argo-events.ts'
import type { Plain } from '../rig.ts'
import { theirEventSource } from './objects.ts'

test('Deployment and Service of an EventSource are as their controller was seen to make them', () => {
  const { input, made } = goldenIn('jetstream-webhook.yaml', 'shop')
  const source = input.find(({ kind }) => kind === 'EventSource')!
  const wanted = made.filter(({ metadata }) => metadata.labels?.controller === 'eventsource-controller')
  const accessSecret = { name: 'eventbus-default-js-client-auth', key: 'client-auth' }
  const config = { jetstream: { url: 'u', accessSecret, streamConfig: '' } }
  const { made: ours } = theirEventSource(source, config, { image: 'img:1', imagePullPolicy: 'Always' })
  assert.equal(ours.length, wanted.length)
  const bare = (objects: Plain[]) =>
    objects.map((object) => {
      const { annotations: { 'resource-spec-hash': _, ...annotations } = {} as Plain, ...metadata } = object.metadata
      const text = JSON.stringify({ ...object, metadata: { ...metadata, annotations } })
      // The goldens' file has the two encoded values apart.
      return JSON.parse(text.replace(/("EVENT(?:SOURCE_OBJECT|BUS_CONFIG)","value":)"[^"]*"/g, '$1"<base64>"'))
    })
  assert.deepEqual(bare(ours), bare(wanted))
  const env = (ours[0] as Plain).spec.template.spec.containers[0].env as Plain[]
  const text = Buffer.from(env.find(({ name }) => name === 'EVENTSOURCE_OBJECT')!.value, 'base64').toString()
  const { metadata, spec, status } = JSON.parse(text)
  assert.deepEqual(metadata, { name: 'webhook', namespace: 'shop', creationTimestamp: null })
  assert.deepEqual([spec, status], [source.spec, {}])
})
