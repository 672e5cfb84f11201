/** Against what upstream's controller gave its objects (test/golden/controller). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '../kube/resources.ts'
import { loadManifest } from '../manifest/load.ts'
import { eventSourceObjects } from './eventSource.ts'
import { settingsFrom } from './settings.ts'
import { fnv1a, keepingTheirHash, theirHashOf, withUpstreamHash } from './upstreamHash.ts'

async function hashOf(metadata: string, spec: string): Promise<string> {
  const text = `{apiVersion: argoproj.io/v1alpha1, kind: EventSource, metadata: {namespace: ns1, ${metadata}}, spec: {${spec}}}`
  const { manifest } = await loadManifest([{ file: '', text }])
  const bus = { jetstream: { url: 'nats://n:4222' } }
  const input = { source: manifest.eventSources[0]!, uid: 'es-uid', bus, settings: settingsFrom({}) }
  const service = eventSourceObjects(input).find(({ kind }) => kind === 'Service')!
  return service.metadata.annotations!['resource-spec-hash']!
}

test('a Service has the hash that upstream gives it, so that its controller does not make it anew', async () => {
  // jetstream-webhook.yaml: labels and annotations of three places.
  const metadata = 'name: webhook, labels: {app: "y", controller: user}'
  const service =
    'service: {metadata: {labels: {l: v, controller: z}, annotations: {a: b}}, ports: [{port: 12000, targetPort: 12000}]}'
  const webhook = 'webhook: {example: {port: "12000", endpoint: /example, method: POST}}'
  assert.equal(await hashOf(metadata, `${service}, ${webhook}`), '3483344074')
  // What concerns the Pods alone does not change it; what concerns the Service does.
  assert.equal(await hashOf(metadata, `replicas: 2, ${service}, ${webhook}`), '3483344074')
  assert.notEqual(await hashOf(metadata, `${service.replace('port: 12000', 'port: 80')}, ${webhook}`), '3483344074')
})

test('the hash is FNV-1a, and reads as Go writes', () => {
  assert.equal(fnv1a('hello'), '1335831723')
  const service = (annotations: Record<string, string>) => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', annotations } },
    spec: { ports: [{ port: 1 }], selector: {}, type: 'ClusterIP' },
  })
  const hash = (annotations: Record<string, string>) =>
    withUpstreamHash(service(annotations)).metadata.annotations!['resource-spec-hash']
  const head = '{"metadata":{"name":"s","creationTimestamp":null'
  const tail = '"spec":{"ports":[{"port":1,"targetPort":0}],"type":"ClusterIP"},"status":{"loadBalancer":{}}}'
  assert.equal(hash({}), fnv1a(`${head}},${tail}`))
  assert.equal(
    hash({ b: '<&>', a: '1' }),
    fnv1a(`${head},"annotations":{"a":"1","b":"\\u003c\\u0026\\u003e"}},${tail}`),
  )
})

test('what upstream made of a bus keeps the hash by which its controller leaves it alone, whatever we make of it', () => {
  const part = (annotations: Record<string, string>, manager: string): KubeObject => ({
    ...{ apiVersion: 'apps/v1', kind: 'StatefulSet' },
    metadata: {
      ...{ name: 'eventbus-default-js', labels: { controller: 'eventbus-controller' }, annotations },
      managedFields: [{ manager }],
    },
  })
  const annotationsOf = (live: KubeObject | null, hash: string) =>
    keepingTheirHash(part({ 'resource-spec-hash': hash }, ''), live).metadata.annotations!
  const own = 'vedette.dev/resource-spec-hash'
  // Taken over, and changed afterwards.
  const first = annotationsOf(part({ 'resource-spec-hash': 'theirs' }, 'argo-events'), 'ours')
  assert.deepEqual(first, { 'resource-spec-hash': 'theirs', [own]: 'ours' })
  const taken = part(first, 'vedette-controller')
  assert.equal(theirHashOf(taken), 'theirs')
  assert.deepEqual(annotationsOf(taken, 'other'), { 'resource-spec-hash': 'theirs', [own]: 'other' })
  // Changed by theirs on the way back: that one from then on.
  const again = part({ 'resource-spec-hash': 'newer', [own]: 'ours' }, 'argo-events')
  assert.equal(annotationsOf(again, 'ours')['resource-spec-hash'], 'newer')
  // Made here, also by a version that wrote no hash of its own: upstream's controller writes what it wants then.
  for (const live of [null, part({ 'resource-spec-hash': 'ours' }, 'vedette-controller')]) {
    assert.deepEqual(annotationsOf(live, 'ours'), { 'resource-spec-hash': 'ours', [own]: 'ours' })
    assert.equal(theirHashOf(live), null)
  }
  // What is not of a bus has none of it.
  const other = {
    ...part({ 'resource-spec-hash': 'ours' }, ''),
    metadata: { name: 'x', annotations: { 'resource-spec-hash': 'ours' } },
  }
  assert.equal(keepingTheirHash(other, null), other)
})
