import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KubeObject } from '../kube/resources.ts'
import { loadManifest } from '../manifest/load.ts'
import { removalJob } from './reconcile/removal.ts'
import { render } from './render.ts'
import { settingsFrom } from './settings.ts'

type Plain = Record<string, any>

const text = `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: shop }
spec: { jetstream: { version: latest } }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders, namespace: shop }
spec:
  webhook:
    a: { port: "12000", endpoint: /a, method: POST }
    b: { port: "12000", endpoint: /b, method: POST }
  github:
    push: { repositories: [{ owner: o, names: [r] }], events: ["*"], webhook: { endpoint: /push, port: "13000", method: POST } }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: ticks, namespace: shop }
spec: { calendar: { t: { interval: 1m } } }
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: { name: follow, namespace: shop }
spec: { dependencies: [], triggers: [] }
`

const made = async (env: Record<string, string>) =>
  render(await loadManifest([{ file: 'a.yaml', text }]), settingsFrom(env)).objects as (KubeObject & Plain)[]
const ofKind = (objects: (KubeObject & Plain)[], kind: string) => objects.filter((one) => one.kind === kind)

/** What a policy lets in, as a cluster that enforces it decides (all of these are of one namespace, `shop`, but for the controller). */
function letsIn(policies: Plain[], to: Plain, from: { labels: Plain; namespace?: string }, port: number): boolean {
  const has = (labels: Plain, wanted: Plain = {}) =>
    Object.entries(wanted).every(([key, value]) => labels[key] === value)
  const selecting = policies.filter(({ spec }) => has(to, spec.podSelector.matchLabels))
  if (selecting.length === 0) return true
  return selecting.some(({ spec }) =>
    spec.ingress.some((rule: Plain) => {
      const peer = (rule.from ?? [null]).some((one: Plain | null) => {
        if (one === null) return true
        const space = one.namespaceSelector?.matchLabels['kubernetes.io/metadata.name'] ?? 'shop'
        return (from.namespace ?? 'shop') === space && has(from.labels, one.podSelector.matchLabels)
      })
      return peer && (rule.ports ?? [null]).some((one: Plain | null) => one === null || one.port === port)
    }),
  )
}

suite('--network-policies', () => {
  test('there is none unless it is on', async () => {
    for (const env of [{}, { NETWORK_POLICIES: 'off' }] as Record<string, string>[])
      assert.deepEqual(ofKind(await made(env), 'NetworkPolicy'), [])
    assert.throws(() => settingsFrom({ NETWORK_POLICIES: 'yes' }), /write on or off/)
  })

  test('one for each EventSource and native bus lets in who has to come in, and nobody else', async () => {
    const objects = await made({ NETWORK_POLICIES: 'on', NAMESPACE: 'home' })
    const policies = ofKind(objects, 'NetworkPolicy')
    assert.deepEqual(
      policies.map(({ metadata }) => metadata.name),
      ['eventbus-default-js', 'orders-eventsource', 'ticks-eventsource'],
    )
    for (const { spec } of policies) assert.deepEqual(spec.policyTypes, ['Ingress'])
    const podOf = (kind: string, name: string) =>
      ofKind(objects, kind).find(({ metadata }) => metadata.name.startsWith(name))!.spec.template.metadata.labels
    const [orders, ticks, sensor] = ['orders', 'ticks', 'follow'].map((name) => podOf('Deployment', name))
    const server = podOf('StatefulSet', 'eventbus')
    const object = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'EventSource',
      metadata: { name: 'orders', namespace: 'shop' },
    }
    const job = removalJob(object, ofKind(objects, 'Deployment')[0]!) as Plain
    const removal = job.spec.template.metadata.labels
    const stranger = { app: 'shop' }
    const table: [to: Plain, port: number, from: Plain, namespace: string, let_in: boolean][] = [
      [orders, 12_000, stranger, 'other', true],
      [orders, 13_000, stranger, 'other', true],
      [orders, 7_777, stranger, 'other', true],
      [orders, 7_787, stranger, 'shop', false],
      [orders, 7_787, orders, 'shop', true],
      [orders, 7_787, ticks, 'shop', false],
      [orders, 22, stranger, 'shop', false],
      [ticks, 12_000, stranger, 'shop', false],
      [ticks, 7_777, stranger, 'other', true],
      [server, 4_222, orders, 'shop', true],
      [server, 4_222, sensor, 'shop', true],
      [server, 4_222, removal, 'shop', true],
      [server, 4_222, stranger, 'shop', false],
      [server, 4_222, orders, 'other', false],
      [server, 6_222, server, 'shop', true],
      [server, 6_222, orders, 'shop', false],
      [server, 8_222, { app: 'controller-manager' }, 'home', true],
      [server, 8_222, { app: 'controller-manager' }, 'shop', false],
      [server, 8_222, orders, 'shop', false],
      [server, 7_777, stranger, 'other', true],
    ]
    for (const [to, port, labels, namespace, expected] of table)
      assert.equal(
        letsIn(policies, to, { labels, namespace }, port),
        expected,
        JSON.stringify({ to, port, labels, namespace }),
      )
  })
})
