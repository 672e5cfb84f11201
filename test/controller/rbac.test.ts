/**
 * The shipped Roles are enough and nothing in them is spare: each verb of each resource is taken away in turn, from a controller that then
 * meets what needs it, and it says which one is missing: in a condition of the object, or, where none can carry it, by its readiness
 * or its log. Every controller has a namespace and a Role of its own, as in namespace-install.yaml.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { makeCredentials } from '../../src/controller/eventBus/credentials.ts'
import { networkPolicyRules, type Rule, rules, webhookRules } from '../../src/controller/install/rbac.ts'
import { API_VERSION } from '../../src/controller/objects.ts'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import { createLogger } from '../../src/core/log.ts'
import type { KubeObject, Resource } from '../../src/kube/resources.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import {
  type Controller,
  type ControllerOptions,
  objectsOf,
  type Rig,
  resourceFor,
  resources,
  startRig,
} from './rig.ts'

const { eventsources, eventbus, sensors, deployments, leases, poddisruptionbudgets } = resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))
const WAIT_MS = 60_000

/** One verb of one resource; `resource` with its subresource. */
interface Right {
  group: string
  resource: string
  verb: string
}

const rightsOf = (rules: readonly Rule[]): Right[] =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => ({ group, resource, verb })))),
  )
const nameOf = ({ group, resource, verb }: Right) => `${verb} ${resource}${group === '' ? '' : `.${group}`}`
/** What an administrator has to add, as every refusal says it. */
const remedyOf = ({ group, resource, verb }: Right) =>
  `apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"]`

/** The rules without that one right. */
const lacking = (right: Right) =>
  rightsOf([...rules, ...networkPolicyRules])
    .filter((one) => nameOf(one) !== nameOf(right))
    .map(({ group, resource, verb }) => ({ apiGroups: [group], resources: [resource], verbs: [verb] }))

/** What a test has of the controller that lacks something. */
interface Limited {
  rig: Rig
  ns: string
  start(): Promise<void>
  controller(): Controller
  log(): string
}

/** Brings the controller to where it needs the right. */
type Story = (limited: Limited) => Promise<unknown>
/** Where it then says so. */
type Says = (limited: Limited) => Promise<string>

const readiness: Says = async ({ controller }) =>
  (await fetch(`http://127.0.0.1:${controller().healthPort}/readyz`)).text()
const log: Says = async ({ log }) => log().replaceAll('\\"', '"')
const condition =
  (resource: Resource, type: string, reason: string, begins = ''): Says =>
  async ({ rig, ns }) => {
    const found = await rig.condition(resource, ns, nameIn(resource), type)
    return found?.reason === reason && found.message.startsWith(begins) ? found.message : ''
  }
const nameIn = (resource: Resource) => (resource === eventbus ? 'default' : resource === sensors ? 'follow' : 'orders')

const head = (kind: string, name: string, more = '') => `
apiVersion: argoproj.io/v1alpha1
kind: ${kind}
metadata: { name: ${name}${more} }
`
const bus = `${head('EventBus', 'default')}spec: { jetstream: { version: latest } }\n---`
const sensor = `${head('Sensor', 'follow')}spec: { dependencies: [], triggers: [] }\n---`
const tick = 'calendar: { tick: { interval: 1m } }'
const leased = ', annotations: { events.argoproj.io/leader-election: k8s }'
const orders = (spec: string, more = '') => `${head('EventSource', 'orders', more)}spec: { ${spec} }\n`
/** Whatever an EventSource can have. */
const everything = orders(`replicas: 2, service: { ports: [{ port: 80 }] }, ${tick}`, leased)
/** With something at a provider. */
const hooked = orders(
  'github: { push: { repositories: [{ owner: o, names: [r] }], webhook: { endpoint: /push, port: "12000", method: POST, ' +
    'url: "http://example.com" }, events: ["*"], apiToken: { name: token, key: token } } }',
)

async function apply({ rig, ns }: Limited, yaml: string, manager = 'user'): Promise<KubeObject[]> {
  return await Promise.all(
    objectsOf(yaml).map((object) => {
      const here = { ...object, metadata: { ...object.metadata, namespace: ns } }
      return rig.admin.apply(resourceFor(object), here, { manager })
    }),
  )
}
const there = ({ rig, ns }: Limited, resource: Resource, name: string) =>
  until(`${name} is there`, async () => (await rig.get(resource, ns, name)) !== null, WAIT_MS)
const deleted = ({ rig, ns }: Limited, resource: Resource) =>
  rig.admin.delete(resource, { namespace: ns, name: nameIn(resource) })

const starts: Story = ({ start }) => start()
const making =
  (yaml: string): Story =>
  async (limited) => {
    await apply(limited, yaml)
    await limited.start()
  }
const makes = making(bus + sensor + everything)
/** An earlier controller has given its Lease back. */
const startsAgain: Story = async (limited) => {
  const spec = { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 1 }
  const metadata = { name: 'argo-events-controller', namespace: limited.ns }
  await limited.rig.admin.create(leases, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec })
  await limited.start()
}
/** What it makes is there, made by Argo Events' controller. */
const adopts: Story = async (limited) => {
  const { rig, ns } = limited
  const owners = await apply(limited, bus + everything)
  const loaded = await loadManifest([{ file: '', text: bus + everything }])
  for (const { metadata, ...object } of render(loaded, settingsFrom({})).objects) {
    if (!['Deployment', 'Service', 'StatefulSet', 'ConfigMap'].includes(object.kind)) continue
    const kind = metadata.labels?.controller === 'eventbus-controller' ? 'EventBus' : 'EventSource'
    const { name, uid } = owners.find((one) => one.kind === kind)!.metadata
    const owner = { apiVersion: API_VERSION, kind, name, uid: uid!, controller: true, blockOwnerDeletion: true }
    const made: KubeObject = { ...object, metadata: { ...metadata, namespace: ns, ownerReferences: [owner] } }
    await rig.admin.apply(resourceFor(made), made, { manager: 'argo-events' })
  }
  const { uid } = owners.find((one) => one.kind === 'EventBus')!.metadata
  const owner = { kind: 'EventBus', namespace: ns, name: 'default', uid } as const
  for (const secret of makeCredentials(owner, `eventbus-default-js-svc.${ns}.svc`, Date.now()))
    await rig.admin.apply(resources.secrets, secret, { manager: 'argo-events' })
  await limited.start()
}
/** An EventSource no longer asks for all that it had. */
const takesBack: Story = async (limited) => {
  await makes(limited)
  await there(limited, poddisruptionbudgets, 'orders-eventsource-pdb')
  await there(limited, resources.services, 'orders-eventsource-svc')
  await there(limited, resources.rolebindings, 'orders-eventsource-lease')
  await apply(limited, orders(tick))
}
const removesHooks: Story = async (limited) => {
  await apply(limited, bus + hooked)
  await limited.start()
  await there(limited, deployments, 'orders-eventsource')
  await deleted(limited, eventsources)
}
const deletesBus: Story = async (limited) => {
  const { rig, ns } = limited
  await apply(limited, bus)
  const labels = { controller: 'eventbus-controller', 'eventbus-name': 'default', 'owner-name': 'default' }
  await rig.admin.create(resources.persistentvolumeclaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: ns, labels },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
  await limited.start()
  await until(
    'it is held',
    async () => ((await rig.get(eventbus, ns, 'default'))!.metadata.finalizers ?? []).length > 0,
  )
  await deleted(limited, eventbus)
}
const growsDisks: Story = async (limited) => {
  const { rig, ns } = limited
  await apply(limited, bus)
  await limited.start()
  await there(limited, resources.statefulsets, 'eventbus-default-js')
  const labels = { controller: 'eventbus-controller', 'eventbus-name': 'default', 'owner-name': 'default' }
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'eventbus-default-js-vol-eventbus-default-js-0', namespace: ns, labels },
  }
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '20Gi' } } }
  await rig.admin.create(resources.persistentvolumeclaims, { ...claim, spec })
  const status = { phase: 'Bound', capacity: { storage: '20Gi' } }
  await rig.admin.applyStatus(resources.persistentvolumeclaims, { ...claim, status }, { manager: 'disks' })
  await apply(limited, bus.replace('version: latest', 'version: latest, persistence: { volumeSize: 40Gi }'))
}
/** No server of it has had a disk. */
const remakesDisks: Story = async (limited) => {
  await apply(limited, bus)
  await limited.start()
  await there(limited, resources.statefulsets, 'eventbus-default-js')
  await apply(limited, bus.replace('version: latest', 'version: latest, persistence: { storageClassName: other }'))
}
/** A policy is there of when the switch was on. */
const leavesPolicy: Story = async (limited) => {
  const owners = await apply(limited, bus + orders(tick))
  const { name, uid } = owners.find(({ kind }) => kind === 'EventSource')!.metadata
  const owner = { apiVersion: API_VERSION, kind: 'EventSource', name, uid: uid!, controller: true }
  await limited.rig.admin.create(resources.networkpolicies, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'orders-eventsource', namespace: limited.ns, ownerReferences: [owner] },
    spec: { podSelector: {} },
  })
  await limited.start()
}
const letsSensorGo: Story = async (limited) => {
  await apply(limited, head('Sensor', 'follow', ', finalizers: [sensor-controller]').concat('spec: {}\n'))
  await deleted(limited, sensors)
  await limited.start()
}

const source = (reason: string, type = 'Deployed') => condition(eventsources, type, reason)
const notDeleted = (reason: string) => condition(eventsources, 'Deployed', reason, 'Failed to delete ')
const busSays = (reason: string) => condition(eventbus, 'Deployed', reason)

/** Every right that is shipped. */
const table: [names: string[], story: Story, says: Says][] = [
  [
    [
      'eventsources.argoproj.io',
      'eventbus.argoproj.io',
      'sensors.argoproj.io',
      'deployments.apps',
      'statefulsets.apps',
      'services',
    ].flatMap((resource) => [`list ${resource}`, `watch ${resource}`]),
    starts,
    readiness,
  ],
  [['get leases.coordination.k8s.io', 'create leases.coordination.k8s.io'], starts, readiness],
  [['update leases.coordination.k8s.io'], startsAgain, readiness],
  [['eventsources', 'eventbus', 'sensors'].map((one) => `patch ${one}/status.argoproj.io`), makes, log],
  [['update eventsources.argoproj.io'], making(bus + hooked), source('FinalizerFailed')],
  [['update eventbus.argoproj.io'], makes, busSays('FinalizerFailed')],
  [['update sensors.argoproj.io'], letsSensorGo, condition(sensors, 'Deployed', 'FinalizerFailed')],
  // The first that it makes for one is its login.
  [
    ['update eventsources/finalizers.argoproj.io'],
    making(bus + orders(tick)),
    condition(eventbus, 'UsersMissing', 'UsersMissing'),
  ],
  [['update eventbus/finalizers.argoproj.io'], makes, busSays('JetStreamAuthSecretsFailed')],
  [['update sensors/finalizers.argoproj.io'], makes, condition(sensors, 'Deployed', 'CreateDeploymentFailed')],
  [each('deployments.apps', 'get', 'create', 'patch'), makes, source('CreateDeploymentFailed')],
  [each('deployments.apps', 'update'), adopts, source('UpdateDeploymentFailed')],
  [each('statefulsets.apps', 'get', 'create', 'patch'), makes, busSays('JetStreamStatefulSetFailed')],
  [each('statefulsets.apps', 'delete'), remakesDisks, busSays('ClaimsFailed')],
  [each('statefulsets.apps', 'update'), adopts, busSays('JetStreamStatefulSetFailed')],
  [each('services', 'get', 'create', 'patch'), makes, source('CreateServiceFailed')],
  [each('services', 'update'), adopts, source('CreateServiceFailed')],
  [each('services', 'delete'), takesBack, notDeleted('DeleteServiceFailed')],
  [each('configmaps', 'get', 'create', 'patch'), makes, busSays('JetStreamConfigMapFailed')],
  [each('configmaps', 'update'), adopts, busSays('JetStreamConfigMapFailed')],
  [each('secrets', 'get', 'create', 'patch'), makes, busSays('JetStreamAuthSecretsFailed')],
  [each('replicasets.apps', 'list'), making(bus + orders(tick)), source('PodsUnknown', 'Available')],
  [each('pods', 'list'), making(bus + orders(tick)), source('WaitsForLogin')],
  [each('events', 'create', 'patch'), making(orders('webhook: { a: { port: x, endpoint: /a, method: POST } }')), log],
  [each('persistentvolumeclaims', 'list', 'delete'), deletesBus, busSays('ClaimsFailed')],
  [each('persistentvolumeclaims', 'patch'), growsDisks, condition(eventbus, 'ChangeRefused', 'KeptAsItRuns')],
  [each('events', 'list'), makes, condition(eventbus, 'ServersNotReady', 'Unknown')],
  [each('poddisruptionbudgets.policy', 'get', 'create', 'patch'), makes, source('ApplyBudgetFailed')],
  [each('poddisruptionbudgets.policy', 'delete'), takesBack, notDeleted('DeleteBudgetFailed')],
  ...['roles', 'rolebindings'].flatMap((kind): [string[], Story, Says][] => [
    [each(`${kind}.rbac.authorization.k8s.io`, 'get', 'create', 'patch'), makes, source('ApplyRoleFailed')],
    [each(`${kind}.rbac.authorization.k8s.io`, 'delete'), takesBack, notDeleted('DeleteRoleFailed')],
  ]),
  [each('jobs.batch', 'get', 'create'), removesHooks, source('RemoteCleanupFailed', 'RemoteCleanup')],
]

function each(resource: string, ...verbs: string[]): string[] {
  return verbs.map((verb) => `${verb} ${resource}`)
}

suite('each right of the controller taken away', { skip, timeout: 600_000 }, () => {
  let rig: Rig
  before(async () => {
    // As OpenShift has it: it asks for the rights of the owner of what is made.
    rig = await startRig({
      apiServerFlags: ['--enable-admission-plugins', 'OwnerReferencesPermissionEnforcement'],
    })
  })
  after(() => rig?.stop())

  test('the table has every right that is shipped, and no other', () => {
    const shipped = rightsOf(rules).map(nameOf)
    assert.deepEqual(table.flatMap(([names]) => names).sort(), shipped.toSorted())
    assert.equal(new Set(shipped).size, shipped.length)
  })

  suite('is said', { concurrency: 6 }, () => {
    for (const [i, right] of rightsOf(rules).entries()) {
      const [, story, says] = table.find(([names]) => names.includes(nameOf(right)))!
      test(nameOf(right), async (t) => {
        const ns = await rig.kubernetes.namespace(`lacks-${i}`)
        await said({ right, ns, story, says }, (work) => t.after(work))
      })
    }
  })

  test('to let Pods elect by a Lease it must have that right itself', async (t) => {
    for (const verb of ['get', 'create', 'update']) {
      const right = { group: 'coordination.k8s.io', resource: 'leases', verb }
      const ns = await rig.kubernetes.namespace(`grants-${verb}`)
      const says = source('ApplyRoleFailed')
      await said({ right, ns, story: makes, says, election: false }, (work) => t.after(work))
    }
  })

  test('the webhook: its configuration, and the Secret of its certificate', async (t) => {
    const shipped = rightsOf(webhookRules)
    assert.deepEqual(shipped.map(nameOf), ['patch validatingwebhookconfigurations.admissionregistration.k8s.io'])
    const secret = ['get', 'create', 'patch'].map((verb) => ({ group: '', resource: 'secrets', verb }))
    for (const [i, right] of [...shipped, ...secret].entries()) {
      const ns = await rig.kubernetes.namespace(`webhook-${i}`)
      await said({ right, ns, story: starts, says: log, webhook: true }, (work) => t.after(work))
    }
  })

  test('NetworkPolicies, with the switch', async (t) => {
    const shipped = rightsOf(networkPolicyRules)
    assert.deepEqual(shipped.map(nameOf), each('networkpolicies.networking.k8s.io', 'get', 'create', 'patch', 'delete'))
    for (const [i, right] of shipped.entries()) {
      const ns = await rig.kubernetes.namespace(`policies-${i}`)
      const off = right.verb === 'delete'
      const story = off ? leavesPolicy : making(bus + orders(tick))
      const says = off ? notDeleted('DeleteNetworkPolicyFailed') : source('ApplyNetworkPolicyFailed')
      const settings = { networkPolicies: off ? ('off' as const) : ('on' as const) }
      await said({ right, ns, story, says, settings }, (work) => t.after(work))
    }
  })

  interface Lack extends Pick<ControllerOptions, 'election' | 'webhook' | 'settings'> {
    right: Right
    ns: string
    story: Story
    says: Says
  }

  /** Waits until it is said which right is missing. */
  async function said(
    { right, ns, story, says, ...options }: Lack,
    after: (work: () => Promise<void>) => void,
  ): Promise<void> {
    let controller: Controller | undefined
    const lines: string[] = []
    const limited: Limited = {
      rig,
      ns,
      controller: () => controller!,
      log: () => lines.join(''),
      async start() {
        const log = createLogger({ format: 'json', redact: (text) => text, write: (line) => void lines.push(line) })
        controller = await rig.startController({ ...options, namespaced: ns, rules: lacking(right), log })
        after(controller.stop)
      },
    }
    await story(limited)
    let last = ''
    await until(
      'it is said',
      async () => {
        last = await says(limited)
        return last.includes(remedyOf(right))
      },
      WAIT_MS,
    ).catch((error) => assert.fail(`${error.message}: ${remedyOf(right)}\nit says: ${last}\nlog: ${lines.join('')}`))
  }
})
