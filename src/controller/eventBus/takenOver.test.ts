/** When the servers of a native bus run on as Argo Events made them. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KubeObject } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import { planBus } from '../eventBus.ts'
import { settingsFrom } from '../settings.ts'
import { keepingTheirHash } from '../upstreamHash.ts'
import { presentIn, SERVERS_ANNOTATION } from './present.ts'
import { TAKEN_OVER_ANNOTATION, takenOver } from './takenOver.ts'

type Plain = Record<string, any>
const settings = settingsFrom({ VEDETTE_IMAGE: 'img:1' })

const busOf = (jetstream: object = { version: 'latest' }): KubeObject => ({
  ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'EventBus', metadata: { name: 'default', namespace: 'shop' } },
  spec: { jetstream },
})
const setOf = (annotations: Record<string, string>, spec: object = {}): KubeObject => ({
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet' },
  metadata: {
    ...{ name: 'eventbus-default-js', namespace: 'shop', annotations },
    labels: { controller: 'eventbus-controller' },
  },
  spec: { replicas: 3, ...spec },
})
/** What our controller makes of what is there. */
function reconciled(live: KubeObject, object: KubeObject): Plain {
  const bus: EventBus = {
    ...{ namespace: 'shop', name: 'default', labels: {}, kind: 'jetstream' },
    ...{
      spec: object.spec as Extract<EventBus, { kind: 'jetstream' }>['spec'],
      place: { file: '', line: 1, column: 1 },
    },
  }
  const running = { natsImage: 'nats:2.10.29', replicas: 3 }
  const input = { bus, settings, present: presentIn(live), running, takenOver: takenOver(live, object) }
  const { objects, conditions } = planBus(input)
  const made = objects.find(({ kind }) => kind === 'StatefulSet')!
  const hash = { 'resource-spec-hash': `ours of ${JSON.stringify(object.spec)}` }
  const next = { ...made, metadata: { ...made.metadata, annotations: { ...made.metadata.annotations, ...hash } } }
  return { ...keepingTheirHash(next, live), conditions, conf: (objects[0] as Plain).data['nats-js'] }
}
const strategyOf = ({ spec }: Plain) => spec.updateStrategy.type

suite('servers that Argo Events made', () => {
  const theirs = setOf({ 'resource-spec-hash': 'abc' })

  test('run on until their object is changed, and are as others from then on', () => {
    const first = reconciled(theirs, busOf())
    assert.equal(strategyOf(first), 'OnDelete')
    assert.match(first.conditions.find(({ type }: Plain) => type === 'ServersKept').message, /next change of spec/)
    const second = reconciled(first as never, busOf())
    assert.equal(strategyOf(second), 'OnDelete')
    const changed = reconciled(second as never, busOf({ version: 'latest', containerTemplate: { resources: {} } }))
    assert.equal(strategyOf(changed), 'RollingUpdate')
    assert.equal(changed.metadata.annotations[TAKEN_OVER_ANNOTATION], undefined)
    assert.equal(
      changed.conditions.some(({ type }: Plain) => type === 'ServersKept'),
      false,
    )
    // Back to what it was: they are ours all the same.
    assert.equal(strategyOf(reconciled(changed as never, busOf())), 'RollingUpdate')
  })

  test('that Argo Events has made anew meanwhile run on once more', () => {
    const first = reconciled(theirs, busOf())
    const annotations = { ...first.metadata.annotations, 'resource-spec-hash': 'def' }
    const again = reconciled(setOf(annotations), busOf({ version: 'latest', replicas: 3 }))
    assert.equal(strategyOf(again), 'OnDelete')
    assert.match(again.metadata.annotations[TAKEN_OVER_ANNOTATION], /^def-/)
  })

  test('keep a configuration that they can read while they run: a lone one, one with a disk', () => {
    const lone = reconciled(setOf({ 'resource-spec-hash': 'abc' }, { replicas: 1 }), busOf({ version: '2.10.29' }))
    assert.doesNotMatch(lone.conf, /sync_interval/)
    const template = { metadata: { name: 'v' }, spec: { resources: { requests: { storage: '10Gi' } } } }
    const disk = reconciled(setOf({ 'resource-spec-hash': 'abc' }, { volumeClaimTemplates: [template] }), busOf())
    assert.match(disk.conf, /max_file_store: 1TB/)
    assert.match(disk.conf, /key: "\$JS_KEY"/)
  })

  test('ours are never taken for theirs, nor those that an earlier version of ours has replaced', () => {
    const made = { 'resource-spec-hash': 'own', 'vedette.dev/resource-spec-hash': 'own' }
    assert.equal(takenOver(setOf(made), busOf()), null)
    assert.equal(takenOver(setOf({ 'resource-spec-hash': 'own', [SERVERS_ANNOTATION]: '3' }), busOf()), null)
    const replaced = { 'resource-spec-hash': 'abc', 'vedette.dev/resource-spec-hash': 'own' }
    assert.equal(takenOver(setOf(replaced), busOf()), null)
    assert.equal(takenOver(setOf({}), busOf()), null)
  })
})
