/** The plan as a function of what is on the cluster: one row for each thing of Argo Events' that may be there. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { THEIR_IMAGE, theirInstall, theirSecrets } from '../../../test/controller/argo-events.ts'
import { definitions, objectsOf } from '../../../test/controller/rig.ts'
import type { KubeObject } from '../../kube/resources.ts'
import { loadSource } from '../../sources/index.ts'
import { makeCredentials } from '../eventBus/credentials.ts'
import { install } from '../install/install.ts'
import { settingsFrom } from '../settings.ts'
import { planBack } from './back.ts'
import { asMade, backupObject, readBackup } from './backup.ts'
import { formOf } from './certificates.ts'
import { mergedConfig } from './config.ts'
import { upstreamInstalls } from './found.ts'
import { planExchange } from './plan.ts'
import type { Snapshot } from './snapshot.ts'
import { refusedOf, type Step } from './steps.ts'
import { planUninstall } from './uninstall.ts'

const kinds: Record<string, keyof Snapshot> = {
  ...{
    EventSource: 'eventSources',
    EventBus: 'eventBuses',
    Sensor: 'sensors',
    Deployment: 'deployments',
    StatefulSet: 'statefulSets',
  },
  ...{ Service: 'services', ConfigMap: 'configMaps', PersistentVolumeClaim: 'claims', ClusterRole: 'clusterRoles' },
  ...{ ValidatingWebhookConfiguration: 'webhooks', CustomResourceDefinition: 'crds' },
}

function snapshotOf(objects: readonly KubeObject[], more: Partial<Snapshot> = {}): Snapshot {
  const snapshot = {
    ...{
      eventSources: [],
      eventBuses: [],
      sensors: [],
      deployments: [],
      statefulSets: [],
      services: [],
      configMaps: [],
    },
    ...{
      claims: [],
      budgets: [],
      networkPolicies: [],
      roles: [],
      roleBindings: [],
      clusterRoles: [],
      clusterRoleBindings: [],
      webhooks: [],
      crds: [],
    },
    ...{ certificates: new Map(), elsewhere: [], backup: null, unseen: [] },
    ...more,
  } as Snapshot
  for (const object of objects) {
    const kind = kinds[object.kind]
    if (kind !== undefined) (snapshot[kind] as KubeObject[]).push(object)
  }
  return snapshot
}

const target = async (home = 'argo-events', namespaced = false) => ({
  ...{ home, namespaced },
  objects: install({ definitions: await definitions(), namespace: home, namespaced, image: 'v:1' }),
})

async function planned(
  objects: readonly KubeObject[],
  more: Partial<Snapshot> = {},
  home?: string,
  namespaced?: boolean,
) {
  const options = { ...(await target(home, namespaced)), settings: settingsFrom({}), load: loadSource }
  return await planExchange(snapshotOf(objects, more), options)
}

const step = (steps: readonly Step[], object: string): Step => {
  const found = steps.find((one) => one.object === object)
  assert.ok(found, `${object} of ${steps.map((one) => one.object).join(', ')}`)
  return found
}
const reasons = (steps: readonly Step[]) => refusedOf(steps, []).map(({ object, reason }) => `${object}: ${reason}`)

const bus = (spec: string, name = 'default') =>
  objectsOf(
    `{apiVersion: argoproj.io/v1alpha1, kind: EventBus, metadata: {name: ${name}, namespace: shop, uid: b-${name}, finalizers: [eventbus-controller]}, spec: {${spec}}}`,
  )
const source = (spec: string, name = 'orders') =>
  objectsOf(
    `{apiVersion: argoproj.io/v1alpha1, kind: EventSource, metadata: {name: ${name}, namespace: shop, uid: s-${name}, finalizers: [eventsource-controller]}, spec: {${spec}}}`,
  )
const exotic = bus('jetstreamExotic: {url: "nats://n:4222"}')
const servers = ({ image = 'nats:2.10.29', replicas = 3, disk = false }): KubeObject => ({
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'eventbus-default-js', namespace: 'shop' } },
  spec: {
    replicas,
    template: { spec: { containers: [{ name: 'main', image }] } },
    ...(disk
      ? {
          volumeClaimTemplates: [
            { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '5Gi' } } } },
          ],
        }
      : {}),
  },
})
const told = ([object]: KubeObject[], copies: number): KubeObject[] => [
  { ...object!, status: { config: { jetstream: { streamConfig: `maxage: 72h\nreplicas: ${copies}\n` } } } },
]
const native = bus('jetstream: {version: latest}')

suite('whose controllers they are', () => {
  const helm = theirInstall({
    ...{
      namespace: 'argo',
      controller: 'events-argo-events-controller-manager',
      config: 'events-argo-events-controller-manager',
    },
    args: ['controller', '--leader-election=false'],
    metadata: { annotations: { 'meta.helm.sh/release-name': 'events' } },
  })

  test('they are known by what runs in them, whatever their names and registries are', () => {
    const found = upstreamInstalls(snapshotOf(helm).deployments)
    assert.deepEqual(
      found.map(({ role, elects, keeper, namespace, image }) => [role, elects, keeper, namespace, image]),
      [
        ['controller', false, 'Helm', undefined, THEIR_IMAGE],
        ['webhook', true, 'Helm', undefined, THEIR_IMAGE],
      ],
    )
    const mirrored = JSON.parse(JSON.stringify(helm).replaceAll(THEIR_IMAGE, 'registry.corp/mirror/ae:1'))
    assert.deepEqual(
      upstreamInstalls(snapshotOf(mirrored).deployments).map(({ role }) => role),
      ['controller'],
    )
    const old = theirInstall({ namespace: 'x', args: ['eventsource-controller'] })
    assert.equal(upstreamInstalls(snapshotOf(old).deployments)[0]!.role, 'controller')
  })

  test('ours is not theirs', async () => {
    assert.deepEqual(upstreamInstalls((await target()).objects.filter(({ kind }) => kind === 'Deployment')), [])
  })

  test('of Helm: its Deployment is stopped and stays, its configuration is copied, and what would start it again is said', async () => {
    const steps = await planned(helm, {}, 'argo')
    const stopped = step(steps, 'Deployment argo/events-argo-events-controller-manager')
    assert.equal(stopped.fate, 'stopped')
    assert.match(stopped.what, /without a Lease.*helm upgrade/)
    assert.match(
      step(steps, 'ConfigMap argo/events-argo-events-controller-manager').what,
      /copied into ours: latest \(registry\.corp/,
    )
    assert.deepEqual(reasons(steps), [])
  })

  test('what keeps itself, and what looks after other namespaces than ours would, is refused with the way out', async () => {
    const kept = theirInstall({
      namespace: 'argo-events',
      metadata: { annotations: { 'argocd.argoproj.io/tracking-id': 'x' } },
    })
    assert.ok(reasons(await planned(kept)).includes('Deployment argo-events/controller-manager: managed-elsewhere'))
    const own = theirInstall({ namespace: 'team-a', args: ['controller', '--namespaced'] })
    const [refused] = refusedOf(await planned([...theirInstall({ namespace: 'argo-events' }), ...own]), [])
    assert.deepEqual([refused!.object, refused!.reason], ['Deployment team-a/controller-manager', 'two-controllers'])
    assert.match(refused!.remedy, /plan -n team-a/)
    assert.deepEqual(reasons(await planned(own, {}, 'team-a', true)), [])
    const managed = theirInstall({
      namespace: 'argo',
      args: ['controller', '--namespaced', '--managed-namespace', 'team-a'],
    })
    assert.equal(upstreamInstalls(snapshotOf(managed).deployments)[0]!.namespace, 'team-a')
    assert.match(
      reasons(await planned(theirInstall({ namespace: 'argo-events' }), {}, 'team-a', true))[0]!,
      /two-controllers/,
    )
  })

  test('what may not be looked at is refused', async () => {
    assert.deepEqual(reasons(await planned([], { unseen: ['could not list secrets'] })), [
      'what could not be read: unseen',
    ])
  })
})

suite('buses', () => {
  test('what runs stays, with and without disks; certificates by their form', async () => {
    const certificates = new Map([['shop/default', formOf(theirSecrets('default', 'shop')[0]!)]])
    const steps = await planned([...told(native, 3), servers({ disk: true })], { certificates })
    assert.match(
      step(steps, 'EventBus shop/default').what,
      /3 servers of nats:2\.10\.29 with a disk each, 3 copies.*lease alone: this NATS has no atomic/,
    )
    assert.match(step(steps, 'StatefulSet shop/eventbus-default-js').what, /its Pods run on/)
    assert.match(step(steps, 'Secret shop/eventbus-default-js-server').what, /Argo Events' form/)
    assert.deepEqual(reasons(steps), [])
    const fenced = await planned([...told(native, 3), servers({ image: 'nats:2.12.1', disk: true })])
    assert.match(step(fenced, 'EventBus shop/default').what, /refused by the bus/)
    for (const replicas of [1, 3]) {
      const memory = await planned([...told(native, 1), servers({ replicas })])
      assert.deepEqual(reasons(memory), [])
      assert.equal(step(memory, 'StatefulSet shop/eventbus-default-js').loses, undefined)
    }
  })

  test('certificates: theirs, ours, missing, broken', () => {
    const owner = { kind: 'EventBus', namespace: 'shop', name: 'default' } as const
    assert.equal(formOf(theirSecrets('default', 'shop')[0]!), 'one name')
    assert.equal(formOf(makeCredentials(owner, 'svc', Date.now())[0]!), 'plain')
    assert.equal(formOf(null), 'missing')
    assert.equal(formOf({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }), 'unreadable')
  })

  test('exotic ones and Kafka are as they were; NATS Streaming is refused while somebody uses it', async () => {
    const kafka = bus('kafka: {url: "k:9092", topic: t}', 'k')
    const steps = await planned([...exotic, ...kafka])
    assert.match(step(steps, 'EventBus shop/default').what, /nothing changes.*finalizer is let go/)
    assert.match(step(steps, 'EventBus shop/k').what, /topic t-vedette/)
    const stan = bus('nats: {native: {}}')
    assert.deepEqual(reasons(await planned(stan)), [])
    const used = [...stan, ...source('calendar: {e: {interval: 1s}}')]
    assert.deepEqual(reasons(await planned(used)), ['EventBus shop/default: nats-streaming'])
    assert.deepEqual(reasons(await planned(bus('jetstream: {}'))), ['EventBus shop/default: invalid'])
  })
})

suite('EventSources and Sensors', () => {
  test('each says its types, its election and what the hand-over may lose by type', async () => {
    const all = source(
      'calendar: {a: {interval: 1s}}, webhook: {b: {port: "1", endpoint: /b, method: POST}}, redis: {c: {hostAddress: r, channels: [x]}}, resource: {d: {version: v1, resource: pods, eventTypes: [ADD]}}',
    )
    const { what, loses } = step(await planned([...exotic, ...all]), 'EventSource shop/orders')
    assert.match(what, /^calendar, webhook, redis, resource; elects by the bus.*account default; its finalizer/)
    assert.match(
      loses!,
      /calendar: ticks.*webhook: a request.*doubled at most.*redis: the origin keeps nothing, but our Pods listen.*resource: /,
    )
    const kafka = await planned([...bus('kafka: {url: "k:9092"}'), ...source('calendar: {a: {interval: 1s}}')])
    assert.match(step(kafka, 'EventSource shop/orders').what, /elects by its Lease/)
  })

  test('types that this version lacks, and what is not valid, are refused and left', async () => {
    const steps = await planned([
      ...exotic,
      ...source('hdfs2: {a: {}}, azureServiceBus: {a: {}}', 'lacks'),
      ...source('calendar: {a: {}}', 'wrong'),
    ])
    const found = refusedOf(steps, []).map(({ object, reason }) => `${object}: ${reason}`)
    assert.ok(found.includes('EventSource shop/wrong: invalid'), found.join())
    assert.ok(
      found.some((one) => one.startsWith('EventSource shop/lacks: ')),
      found.join(),
    )
    assert.equal(step(steps, 'EventSource shop/wrong').fate, 'left')
  })

  test('who works with the rights of the controller is named', async () => {
    const rich = source('template: {serviceAccountName: argo-events-sa}, calendar: {a: {interval: 1s}}')
    const steps = await planned([...exotic, ...rich, ...theirInstall({ namespace: 'argo-events' })])
    assert.match(step(steps, 'ServiceAccount argo-events-sa').what, /shop\/orders/)
  })
})

test('of the configuration stays what its user has written, and what is shipped gives way', async () => {
  const ours = (await target()).objects.find(({ kind }) => kind === 'ConfigMap')!
  const config = (jetstream: object): KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } },
    data: { 'controller-config.yaml': JSON.stringify({ eventBus: { jetstream } }) },
  })
  const version = (name: string, natsImage: string) => ({
    version: name,
    natsImage,
    metricsExporterImage: 'e',
    configReloaderImage: 'r',
    startCommand: 's',
  })
  const shipped = config({
    settings: '# memory\nmax_memory_store: -1\nmax_file_store: 1TB',
    streamConfig:
      '# 3\nmaxMsgs: 50000\nmaxAge: 168h\nmaxBytes: -1\nreplicas: 3\nduplicates: 300s\nretention: 0\ndiscard: 0',
    versions: [version('latest', 'nats:2.10.29'), version('2.10.29', 'nats:2.10.29')],
  })
  assert.deepEqual(mergedConfig(shipped, ours).kept, [])
  const own = config({
    streamConfig: 'maxAge: 24h',
    versions: [version('latest', 'corp/nats:2.10.29'), version('2.11.1', 'nats:2.11.1')],
  })
  const { kept, object } = mergedConfig(own, ours)
  assert.deepEqual(kept, ['latest (corp/nats:2.10.29)', '2.11.1 (nats:2.11.1)', 'streamConfig'])
  const text = (object.data as Record<string, string>)['controller-config.yaml']!
  assert.match(text, /version: latest\n +natsImage: corp\/nats:2\.10\.29/)
  assert.equal(text.match(/version: latest/g)!.length, 1)
  assert.match(text, /natsImage: nats:2\.15\.2/)
  // Merged once more it is the same.
  assert.equal((mergedConfig(own, object).object.data as Record<string, string>)['controller-config.yaml'], text)
})

test('what is put aside comes back as it was, without what only the API server writes', () => {
  const [deployment] = theirInstall({ namespace: 'argo-events' }).filter(({ kind }) => kind === 'Deployment')
  const live = {
    ...deployment!,
    metadata: { ...deployment!.metadata, uid: 'u', resourceVersion: '7', generation: 3, managedFields: [{}] },
    status: { replicas: 1 },
  }
  assert.deepEqual(readBackup(backupObject('argo-events', { objects: [asMade(live)] })), { objects: [deployment] })
  assert.equal(readBackup(null), null)
  assert.throws(() => readBackup({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } }), /cannot be read/)
})

suite('the way back', () => {
  const back = async (objects: readonly KubeObject[], more: Partial<Snapshot> = { backup: { objects: [] } }) =>
    await planBack(snapshotOf(objects, more), { manifest: null, load: loadSource })

  test('what Argo Events lacks is refused, field by field', async () => {
    const only = source(
      'replicas: 0, calendar: {a: {scheduleWithSeconds: "* * * * * *"}}, webhook: {b: {port: "1", endpoint: /b, method: POST, signature: {}, filter: {expression: "1 == 1", onError: publish}}}',
    )
    const [refused] = refusedOf(await back(only), [])
    for (const word of ['scheduleWithSeconds', 'signature', 'onError', 'replicas: 0', 'both strategies'])
      assert.match(refused!.why, new RegExp(word))
    assert.deepEqual(reasons(await back(source('calendar: {a: {interval: 1s}}'))), [])
  })

  test('a store that its NATS cannot read is refused; disks that it does not know of are written down', async () => {
    assert.deepEqual(reasons(await back([...native, servers({ image: 'nats:2.15.2', disk: true })])), [
      'EventBus shop/default: bus-upgraded',
    ])
    const steps = await back([...native, servers({ disk: true })])
    assert.equal(step(steps, 'EventBus shop/default').fate, 'changed')
    const written = await back([...bus('jetstream: {version: latest, persistence: {}}'), servers({ disk: true })])
    assert.equal(step(written, 'EventBus shop/default').fate, 'left')
  })

  test('servers that have kept the hash of Argo Events are left alone by its controller', async () => {
    const live = servers({ disk: true })
    const hashed = { ...live, metadata: { ...live.metadata, annotations: { 'resource-spec-hash': 'theirs' } } }
    const kept = bus('jetstream: {version: latest, persistence: {}}')
    assert.match(step(await back([...kept, hashed]), 'EventBus shop/default').what, /so are its servers/)
    hashed.metadata.annotations = { 'resource-spec-hash': 'ours', 'vedette.dev/resource-spec-hash': 'ours' } as never
    assert.match(step(await back([...kept, hashed]), 'EventBus shop/default').what, /replaced one after another/)
  })

  test('without anything to put back, or with a manifest that has no controller of theirs, it is refused', async () => {
    assert.deepEqual(reasons(await back([], {})), ["Argo Events' controller: nothing-to-restore"])
    const manifest = theirInstall({ namespace: 'argo-events' })
    const to = async (objects: KubeObject[]) =>
      reasons(await planBack(snapshotOf([]), { manifest: objects, load: loadSource }))
    assert.deepEqual(await to(manifest), [])
    assert.deepEqual(await to(manifest.filter(({ metadata }) => metadata.name !== 'controller-manager')), [
      "Argo Events' controller: nothing-to-restore",
    ])
  })
})

test('uninstall: what hooks and claims there are is said; CRDs only when asked; not from under Argo Events', async () => {
  const { objects } = await target()
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c', namespace: 'shop', labels: { controller: 'eventbus-controller' } },
  }
  const all = [...source('github: {e: {}}'), ...native, claim, ...objects]
  const stays = planUninstall(snapshotOf(all), { objects, crds: false })
  assert.match(step(stays, 'EventSource shop/orders').what, /go on, without a controller; its finalizer is taken off/)
  assert.equal(step(stays, 'PersistentVolumeClaim shop/c').fate, 'left')
  assert.equal(step(stays, 'CustomResourceDefinition eventbus.argoproj.io').fate, 'left')
  assert.equal(step(stays, 'Namespace argo-events').fate, 'left')
  const goes = planUninstall(snapshotOf(all), { objects, crds: true })
  const order = goes.filter(({ fate }) => fate === 'removed').map(({ object }) => object)
  const at = (name: RegExp) => order.findIndex((one) => name.test(one))
  assert.ok(
    at(/^EventSource/) < at(/^EventBus/) &&
      at(/^EventBus/) < at(/^CustomResource/) &&
      at(/^CustomResource/) < at(/^Deployment/),
    order.join(),
  )
  assert.match(step(goes, 'EventSource shop/orders').what, /at providers, by a Job/)
  const beside = planUninstall(snapshotOf([...all, ...theirInstall({ namespace: 'x' })]), { objects, crds: true })
  assert.deepEqual([...new Set(refusedOf(beside, []).map(({ reason }) => reason))], ['argo-events'])
})
