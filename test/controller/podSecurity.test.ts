/** Which Pods the controller makes, who reaches them, and what it may write itself: on a real API server, with the shipped rights. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { install } from '../../src/controller/install/install.ts'
import { readSnapshot } from '../../src/controller/migrate/snapshot.ts'
import { uninstall } from '../../src/controller/migrate/uninstall.ts'
import { systemClock } from '../../src/core/clock.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { definitions, type Plain, type Rig, resourceFor, resources, startRig } from './rig.ts'

const { deployments, statefulsets, eventsources, eventbus, sensors, networkpolicies, secrets, configmaps, events } =
  resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))

const object = (kind: string, ns: string, name: string, spec: object) =>
  JSON.stringify({ apiVersion: 'argoproj.io/v1alpha1', kind, metadata: { name, namespace: ns }, spec })
const tick = { calendar: { tick: { interval: '1m' } } }
const hostPath = { template: { volumes: [{ name: 'v', hostPath: { path: '/var' } }] } }
const privileged = { template: { container: { securityContext: { privileged: true } } } }

suite('Pods of strangers', { skip, timeout: 300_000 }, () => {
  let rig: Rig
  before(async () => {
    rig = await startRig()
  })
  after(() => rig?.stop())

  const says = (resource: Parameters<Rig['condition']>[0], ns: string, name: string, type: string, reason: string) =>
    until(
      `${name} says ${reason}`,
      async () => (await rig.condition(resource, ns, name, type))?.reason === reason,
      30_000,
    )
  const deployed = (ns: string, name: string) =>
    until(
      `${name} is deployed`,
      async () => (await rig.condition(eventsources, ns, name, 'Deployed'))?.status === 'True',
      30_000,
    )

  test('refused: said with field, value and remedy; nothing is made, and what runs goes on', async (t) => {
    const ns = await rig.kubernetes.namespace('standards')
    const bus = (name: string, spec: object) =>
      object('EventBus', ns, name, { jetstream: { version: 'latest', ...spec } })
    await rig.apply([bus('default', {}), object('EventSource', ns, 'runs', tick)].join('\n---\n'))
    const controller = await rig.startController()
    t.after(controller.stop)
    await deployed(ns, 'runs')
    const servers = async () => ((await rig.get(eventbus, ns, 'default')) as Plain).status?.ready
    await until('the servers of the bus are seen', async () => (await servers()) === '0/3', 30_000)
    const before = (await rig.get(deployments, ns, 'runs-eventsource'))!
    const container = { securityContext: { privileged: true } }
    await rig.apply(
      [
        object('EventSource', ns, 'runs', { ...tick, ...hostPath }),
        object('EventSource', ns, 'new', { ...tick, ...privileged }),
        object('EventSource', ns, 'limited', {
          ...tick,
          template: { container: { env: [{ name: 'NODE_OPTIONS', value: '--inspect' }] } },
        }),
        object('Sensor', ns, 'follows', { dependencies: [], triggers: [], ...privileged }),
        bus('default', { containerTemplate: container }),
        bus('other', { containerTemplate: container }),
      ].join('\n---\n'),
    )
    await says(eventsources, ns, 'runs', 'Deployed', 'PodSecurityRefused')
    const { message } = (await rig.condition(eventsources, ns, 'runs', 'Deployed'))!
    assert.match(
      message,
      /spec\.template\.volumes\[0\]\.hostPath: "\/var" is not allowed \(HostPath Volumes, baseline.*PersistentVolumeClaim/,
    )
    await says(eventsources, ns, 'new', 'Deployed', 'PodSecurityRefused')
    await says(sensors, ns, 'follows', 'Deployed', 'PodSecurityRefused')
    await says(eventbus, ns, 'other', 'Deployed', 'PodSecurityRefused')
    await says(eventbus, ns, 'default', 'ChangeRefused', 'PodSecurityRefused')
    await says(eventsources, ns, 'limited', 'TemplateLimited', 'SteersTheRuntime')
    await deployed(ns, 'limited')
    // What is refused of the bus keeps nobody from it.
    await rig.apply(object('EventSource', ns, 'later', tick))
    await deployed(ns, 'later')
    assert.equal((await rig.get(deployments, ns, 'runs-eventsource'))!.metadata.generation, before.metadata.generation)
    for (const name of ['new-eventsource', 'follows-sensor'])
      assert.equal(await rig.get(deployments, ns, name), null, name)
    assert.equal(await rig.get(statefulsets, ns, 'eventbus-other-js'), null)
    const server = (await rig.get(statefulsets, ns, 'eventbus-default-js'))!
    assert.equal(server.spec.template.spec.containers[0].securityContext.privileged, undefined)
    const told = async () => (await rig.admin.list(events, { namespace: ns })).items as Plain[]
    await until('an Event tells it', async () =>
      (await told()).some(
        ({ reason, involvedObject }) => reason === 'PodSecurityRefused' && involvedObject.name === 'runs',
      ),
    )
    await rig.apply(object('EventSource', ns, 'runs', tick))
    await deployed(ns, 'runs')
  })

  test('the webhook refuses it too, and warns of what is not handed on', async (t) => {
    const controller = await rig.startController({ webhook: true, identity: 'w' })
    t.after(controller.stop)
    const ask = async (spec: object) => {
      const review = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: {
          uid: 'u',
          operation: 'CREATE',
          object: JSON.parse(object('EventSource', 'a', 'b', { ...tick, ...spec })),
        },
      }
      const { request } = await import('undici')
      const { Agent } = await import('undici')
      const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
      const answer = await request(`https://127.0.0.1:${controller.webhookPort}/validate`, {
        ...{ method: 'POST', body: JSON.stringify(review), dispatcher },
      })
      return ((await answer.body.json()) as Plain).response as Plain
    }
    await until('it answers', async () => (await ask({}).catch(() => null))?.allowed === true, 30_000)
    assert.match((await ask(hostPath)).status.message, /--pod-security baseline/)
    const { allowed, warnings } = await ask({ template: { container: { env: [{ name: 'LD_PRELOAD', value: 'x' }] } } })
    assert.deepEqual([allowed, warnings.length], [true, 1])
  })

  test('NetworkPolicies come with the switch, belong to their objects, and go with it', async (t) => {
    for (const one of install({ definitions: await definitions(), networkPolicies: 'on' }))
      await rig.admin.apply(resourceFor(one), one, { manager: 'installer' })
    const ns = await rig.kubernetes.namespace('policies')
    await rig.apply(
      [
        object('EventBus', ns, 'default', { jetstream: { version: 'latest' } }),
        object('EventSource', ns, 'a', tick),
      ].join('\n---\n'),
    )
    const names = async () =>
      (await rig.admin.list(networkpolicies, { namespace: ns })).items.map(({ metadata }) => metadata.name).sort()
    const both = ['a-eventsource', 'eventbus-default-js']
    const on = await rig.startController({ settings: { networkPolicies: 'on' }, identity: 'on' })
    await until('they are there', async () => `${await names()}` === `${both}`, 30_000)
    const [{ kind, controller } = {}] = (await rig.get(networkpolicies, ns, 'a-eventsource'))!.metadata.ownerReferences
    assert.deepEqual([kind, controller], ['EventSource', true])
    await on.stop()
    const unset = await rig.startController({ identity: 'unset' })
    await rig.apply(object('EventSource', ns, 'b', tick))
    await deployed(ns, 'b')
    assert.deepEqual(await names(), both)
    await unset.stop()
    const off = await rig.startController({ settings: { networkPolicies: 'off' }, identity: 'off' })
    t.after(off.stop)
    await until('they are gone', async () => (await names()).length === 0, 30_000)
    await off.stop()
    const again = await rig.startController({ settings: { networkPolicies: 'on' }, identity: 'again' })
    await until('they are there again', async () => (await names()).length === 3, 30_000)
    await again.stop()
    const work = { client: rig.admin, clock: systemClock, tell: () => {}, patienceMs: 30_000 }
    await uninstall(work, await readSnapshot(rig.admin, { namespace: undefined, home: 'argo-events' }), {
      objects: [],
      crds: false,
    })
    assert.deepEqual(await names(), [])
  })

  test('the controller writes Secrets and ConfigMaps of buses only', async () => {
    const ns = await rig.kubernetes.namespace('others')
    const client = rig.kubernetes.clientWith(await rig.kubernetes.account('argo-events', 'vedette-controller', []))
    const put = (resource: typeof secrets | typeof configmaps, name: string, namespace = ns) => {
      const one = { apiVersion: 'v1', kind: resource.kind, metadata: { name, namespace }, data: {} }
      return client.apply(resource, one, { manager: 'vedette-controller' }).then(
        () => 'written',
        (error: Error) => error.message,
      )
    }
    await until('the policy holds', async () => (await put(secrets, 'of-somebody')) !== 'written', 30_000)
    for (const [resource, name] of [
      [secrets, 'another'],
      [secrets, 'events-webhook-certs'],
      [secrets, 'x-eventbus-a-js-server'],
      [configmaps, 'another'],
      [configmaps, 'eventbus-a-js-server'],
    ] as const)
      assert.match(await put(resource, name), /writes the Secrets and ConfigMaps of native buses/, name)
    for (const [resource, name, namespace] of [
      [secrets, 'eventbus-a-js-server', ns],
      [secrets, 'eventbus-a-js-client-auth', ns],
      [secrets, 'events-webhook-certs', 'argo-events'],
      [configmaps, 'eventbus-a-js-config', ns],
    ] as const)
      assert.equal(await put(resource, name, namespace), 'written', name)
  })
})
