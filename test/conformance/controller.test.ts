/**
 * What upstream's reconcilers made (test/golden/controller, their README is in the head of each file) is in what we make; what we add is
 * listed here, and nowhere else.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parseDocument } from 'yaml'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import type { KubeObject } from '../../src/kube/resources.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { plainValue } from '../../src/manifest/tree.ts'
import { parseYaml } from '../../src/manifest/yaml.ts'
import { types } from '../../src/sources/index.ts'

type Plain = Record<string, any>

const root = path.resolve(import.meta.dirname, '../..')
const golden = path.join(root, 'test/golden/controller')
const settings = settingsFrom({ VEDETTE_IMAGE: 'img:1' })

const documentsOf = (text: string) => parseYaml(text).documents.map(plainValue) as Plain[]

async function rendered(text: string): Promise<KubeObject[]> {
  const loaded = await loadManifest([{ file: 'input.yaml', text }])
  assert.deepEqual(
    loaded.diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  )
  return render(loaded, settings).objects
}

/** Input, the object of each heading, and what the two encoded variables say. */
function readGolden(file: string) {
  const text = readFileSync(path.join(golden, file), 'utf8')
  const [, input = '', ...sections] = text.split(/^# ---- INPUT\n|^# (?=OBSERVED|DECODED)/m)
  const observed = new Map<string, Plain>()
  for (const section of sections) {
    const [heading = '', ...lines] = section.split('\n')
    const body = lines.join('\n').replace(/---\s*$/, '')
    observed.set(heading, heading.startsWith('DECODED') ? JSON.parse(body) : parseDocument(body).toJS())
  }
  return { input: input.replace(/---\s*$/, ''), observed }
}

/** In the namespace of the goldens. */
const inNamespace = (text: string) => text.replaceAll('metadata: {name:', 'metadata: {namespace: ns1, name:')

/** What is expected, in the terms of what is made: without what only an API server or Go's encoder writes, and with the differences on purpose. */
function expected(object: Plain): Plain {
  const copy = JSON.parse(
    JSON.stringify(object, (key, value) =>
      value === null || ['status', 'uid', 'ownerReferences', 'resource-spec-hash'].includes(key) ? undefined : value,
    ),
  )
  // Go writes what is empty.
  const bare = (value: any): any => {
    if (Array.isArray(value)) return value.map(bare)
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).map(([key, below]) => [key, bare(below)] as const)
    const empty = ([key, below]: readonly [string, any]) =>
      (['resources', 'strategy', 'updateStrategy', 'metadata', 'annotations', 'generateName'].includes(key) &&
        (typeof below !== 'object' || Object.keys(below).length === 0)) ||
      (key === 'targetPort' && below === 0)
    return Object.fromEntries(entries.filter((entry) => !empty(entry)))
  }
  return bare(copy)
}

/** Asserts that `made` has every member of `wanted`; lists of named things are compared by name, other lists as wholes. */
function includes(made: any, wanted: any, at: string): void {
  if (Array.isArray(wanted)) {
    assert.ok(Array.isArray(made), `${at}: a list`)
    const named = wanted.every((item) => typeof item === 'object' && item !== null && 'name' in item)
    if (named) {
      const order = made
        .map(({ name }: Plain) => name)
        .filter((name: string) => wanted.some((item) => item.name === name))
      assert.deepEqual(
        order,
        wanted.map(({ name }) => name),
        `${at}: order`,
      )
    } else assert.equal(made.length, wanted.length, `${at}: length`)
    wanted.forEach((item, i) => {
      includes(named ? made.find(({ name }: Plain) => name === item.name) : made[i], item, `${at}[${item.name ?? i}]`)
    })
    return
  }
  if (typeof wanted !== 'object' || wanted === null) {
    assert.deepEqual(made, wanted, at)
    return
  }
  assert.equal(typeof made, 'object', at)
  for (const [key, value] of Object.entries(wanted)) includes(made?.[key], value, `${at}.${key}`)
}

const envOf = (deployment: Plain, name: string): string =>
  deployment.spec.template.spec.containers[0].env.find((entry: Plain) => entry.name === name).value

const decoded = (deployment: Plain, name: string) =>
  JSON.parse(Buffer.from(envOf(deployment, name), 'base64').toString())

for (const file of readdirSync(golden)) {
  test(`${file}: every field that upstream's controllers set is set so`, async () => {
    const { input, observed } = readGolden(file)
    const objects = await rendered(inNamespace(input))
    const deployment = objects.find(({ kind }) => kind === 'Deployment')!
    let compared = 0
    for (const [heading, object] of observed) {
      const [what, kind, name = ''] = heading.split(' ')
      if (what === 'DECODED') {
        const ours = decoded(deployment, name)
        includes(ours, withOwnLogin(read(withoutGoZeros(object)), deployment), heading)
      } else if (kind === 'EventBus' || kind === 'EventSource') continue
      else {
        const made = objects.find((one) => one.kind === kind && one.metadata.name === name.replace(/-$/, ''))
        assert.ok(made, heading)
        includes(made, withDifferences(expected(object), made), heading)
      }
      compared++
    }
    assert.ok(compared >= 3)
  })
}

/** What only the controller reads is left out of the Pod's object: scaling replaces no Pod. */
function read(object: Plain): Plain {
  const { replicas: _, service: __, template: ___, ...spec } = object.spec ?? {}
  return object.spec === undefined ? object : { ...object, spec }
}

/** Go writes some empty strings into the object; absent means the same. */
function withoutGoZeros(object: Plain): Plain {
  return JSON.parse(JSON.stringify(object, (_, value) => (value === '' ? undefined : value)))
}

/** On a native bus each EventSource has a NATS user of its own; Sensors have upstream's for all. @param deployment ours */
function withOwnLogin<Part>(wanted: Part, { metadata }: Plain): Part {
  const { controller, 'eventsource-name': name } = metadata.labels
  const of = controller === 'eventsource-controller' ? `user-${name}` : 'client-auth'
  const text = JSON.stringify(wanted).replaceAll('"eventbus-default-js-client-auth"', `"eventbus-default-js-${of}"`)
  return JSON.parse(text)
}

/** docs/differences.md, part Kubernetes, field by field. */
function withDifferences(wanted: Plain, made: Plain): Plain {
  const pod = wanted.spec?.template?.spec
  if (wanted.metadata.generateName !== undefined) delete wanted.metadata.generateName
  for (const container of pod?.containers ?? []) {
    for (const variable of container.env ?? [])
      if (/^EVENT.*_(OBJECT|CONFIG)$/.test(variable.name)) delete variable.value
  }
  if (made.kind === 'Deployment') {
    const [main] = pod.containers
    // The template's policy is honoured.
    if (made.metadata.name === 'webhook-eventsource') main.imagePullPolicy = 'Never'
    // Each EventSource has a NATS user of its own.
    pod.volumes = withOwnLogin(pod.volumes, made)
  }
  if (made.kind === 'ConfigMap') {
    wanted.data['nats-js'] = wanted.data['nats-js']
      // No more than the disk holds.
      .replace('max_file_store: 1TB', 'max_file_store: 20401094656')
      // The key itself.
      .replace('key: "$JS_KEY"', 'key: $JS_KEY')
  }
  if (made.kind === 'StatefulSet') {
    pod.containers[0].image = 'nats:2.15.2'
    // Persistent by default.
    pod.volumes = pod.volumes.filter(({ name }: Plain) => name !== 'js-data')
    for (const mount of pod.containers[0].volumeMounts)
      if (mount.name === 'js-data') mount.name = 'eventbus-default-js-vol'
  }
  return wanted
}

test('what is added to a Pod of one replica, and nothing else', async () => {
  const { input } = readGolden('kafka-calendar.yaml')
  const objects = await rendered(inNamespace(input))
  const deployment = objects.find(({ kind }) => kind === 'Deployment') as Plain
  const { containers, ...pod } = deployment.spec.template.spec
  assert.deepEqual(Object.keys(pod).sort(), [
    ...['affinity', 'securityContext', 'terminationGracePeriodSeconds', 'topologySpreadConstraints', 'volumes'],
  ])
  assert.deepEqual(Object.keys(containers[0]).sort(), [
    ...['args', 'env', 'image', 'imagePullPolicy', 'livenessProbe', 'name', 'ports', 'readinessProbe'],
    ...['securityContext', 'startupProbe', 'volumeMounts'],
  ])
  const names = containers[0].env.map(({ name }: Plain) => name)
  const upstreams = ['EVENTSOURCE_OBJECT', 'EVENTBUS_SUBJECT', 'POD_NAME', 'LEADER_ELECTION', 'EVENTBUS_CONFIG']
  assert.deepEqual(names, [...upstreams, 'POD_IP'])
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ['Role', 'RoleBinding', 'Deployment'],
  )
})

const examples = path.resolve(root, '../shared/data/upstream/event-sources')
const skip = existsSync(examples) ? false : "upstream's examples are not at ../shared/data/upstream"
const bus = `
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ns1 }
spec: { jetstreamExotic: { url: nats://x:4222 } }
`

if (skip && process.env.VEDETTE_REQUIRE !== 'all') test("upstream's examples", { skip }, () => {})
else {
  for (const file of readdirSync(examples).filter((name) => name.endsWith('.yaml'))) {
    const text = readFileSync(path.join(examples, file), 'utf8')
    const [source] = documentsOf(text)
    const { metadata, spec } = source!
    if (!Object.keys(spec).every((key) => ['service', 'template', 'replicas', 'eventBusName', ...types].includes(key)))
      continue
    test(`upstream's example ${file}: Deployment and Service as upstream makes them`, async () => {
      const objects = await rendered(text.replace(/^metadata:\n/m, 'metadata:\n  namespace: ns1\n') + bus)
      const labels = {
        controller: 'eventsource-controller',
        'eventsource-name': metadata.name,
        'owner-name': metadata.name,
      }
      const deployment = objects.find(({ kind }) => kind === 'Deployment') as Plain
      assert.deepEqual(deployment.metadata.labels, labels)
      assert.deepEqual(deployment.spec.selector, { matchLabels: labels })
      assert.equal(deployment.spec.replicas, 1)
      const { spec: pod, metadata: podMetadata } = deployment.spec.template
      assert.deepEqual(podMetadata.labels, { ...spec.template?.metadata?.labels, ...labels })
      assert.deepEqual(decoded(deployment, 'EVENTSOURCE_OBJECT').spec, read({ spec }).spec)
      assert.deepEqual(decoded(deployment, 'EVENTBUS_CONFIG'), { jetstream: { url: 'nats://x:4222' } })
      assert.equal(envOf(deployment, 'EVENTBUS_SUBJECT'), 'eventbus-ns1')
      assert.deepEqual(pod.containers[0].args, ['eventsource-service'])
      assert.deepEqual(pod.containers[0].ports, [{ name: 'metrics', containerPort: 7777 }])
      assert.deepEqual(pod.volumes.slice(0, spec.template?.volumes?.length ?? 0), spec.template?.volumes ?? [])
      // Every Secret and ConfigMap that the text names under a selector is mounted where the Pod reads it.
      const wanted = new Set(
        [
          ...JSON.stringify(spec).matchAll(/\{"name":"([^"]+)","key":"[^"]+"\}|\{"key":"[^"]+","name":"([^"]+)"\}/g),
        ].map(([, first, second]) => first ?? second),
      )
      const mounted = pod.containers[0].volumeMounts.map(({ mountPath }: Plain) => mountPath)
      assert.deepEqual(
        mounted.filter((mount: string) => mount.startsWith('/argo-events/secrets/')).sort(),
        [...wanted].map((name) => `/argo-events/secrets/${name}`).sort(),
      )
      const service = objects.find(({ kind }) => kind === 'Service') as Plain | undefined
      assert.equal(service !== undefined, spec.service !== undefined)
      if (service === undefined) return
      assert.equal(service.metadata.name, `${metadata.name}-eventsource-svc`)
      assert.deepEqual(service.spec, { type: 'ClusterIP', ports: spec.service.ports, selector: labels })
    })
  }
}
