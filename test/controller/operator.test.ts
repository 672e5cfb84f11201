/** What an operator sees and does on a day: roll-outs that stand still, scaling, others who touch the same objects. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import { systemClock } from '../../src/core/clock.ts'
import { resources } from '../../src/kube/resources.ts'
import { kubeTransport } from '../../src/kube/transport.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { bus, source, webhook } from './manifests.ts'
import { type Plain, type Rig, startRig } from './rig.ts'
import { PodReady, type Workload, workloadOf } from './workload.ts'

const { deployments, eventsources, sensors } = resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))

const sensor = (namespace: string) => `
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: { name: follow, namespace: ${namespace} }
spec: { dependencies: [], triggers: [] }
`

suite('an operator’s day', { skip, timeout: 300_000 }, () => {
  let rig: Rig
  let workload: Workload
  before(async () => {
    rig = await startRig()
    workload = workloadOf(rig.admin)
    await rig.startController({ podReadiness: async () => 'not ready; EventBus "default": self-signed certificate' })
  })
  after(() => rig?.stop())

  const exists = (resource: Parameters<Rig['get']>[0], ns: string, name: string) =>
    until(`${name} is there`, async () => (await rig.get(resource, ns, name)) !== null, 30_000)
  const statusOf = async (resource: Parameters<Rig['get']>[0], ns: string, name: string) =>
    ((await rig.get(resource, ns, name))?.status ?? {}) as Plain
  /** @returns its message, as soon as it has the reason */
  const available = async (resource: Parameters<Rig['get']>[0], ns: string, name: string, reason: string) => {
    let last: Plain | undefined
    await until(
      `Available ${reason}`,
      async () => {
        last = await rig.condition(resource, ns, name, 'Available')
        return (last?.reason ?? last?.status) === reason
      },
      30_000,
    ).catch((error) => assert.fail(`${error.message}; it is ${JSON.stringify(last)}`))
    return last!.message as string
  }
  const container = (state: object, more: object = {}) => ({
    phase: 'Running',
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }],
    containerStatuses: [
      { name: 'main', image: 'x', imageID: '', ready: false, started: true, restartCount: 0, state, ...more },
    ],
  })
  const both = { replicas: 2, updatedReplicas: 2, readyReplicas: 2 }

  test('only Pods of the wanted generation count, and of one that does not start it is said why', async () => {
    const ns = await rig.kubernetes.namespace('rollout')
    await rig.kubernetes.account(ns, 'default', [])
    await rig.apply(bus(ns) + source(ns, `replicas: 2, ${webhook}`))
    await exists(deployments, ns, 'orders-eventsource')
    await workload.rollOut(ns, 'orders-eventsource', 'old', [PodReady, PodReady])
    await workload.report(ns, 'orders-eventsource', both)
    await available(eventsources, ns, 'orders', 'True')
    assert.equal((await statusOf(eventsources, ns, 'orders')).ready, '2/2')

    await rig.apply(source(ns, `replicas: 2, template: { container: { resources: {} }, priority: 5 }, ${webhook}`))
    // The Deployment still has the figures of the generation before: two ready ones.
    const waits = await available(eventsources, ns, 'orders', 'Progressing')
    assert.match(waits, /0 of 2 replicas are ready, 2 of an older generation serve on/)
    assert.equal((await statusOf(eventsources, ns, 'orders')).ready, '0/2')
    const crashes = container(
      { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container' } },
      { restartCount: 2, lastState: { terminated: { exitCode: 3, reason: 'Error' } } },
    )
    const [name] = await workload.rollOut(ns, 'orders-eventsource', 'new', [crashes])
    const from = Date.now()
    await workload.report(ns, 'orders-eventsource', { replicas: 3, updatedReplicas: 1, readyReplicas: 2 })
    const failed = await available(eventsources, ns, 'orders', 'CrashLoopBackOff')
    assert.ok(Date.now() - from < 15_000)
    assert.equal(
      failed,
      `Pod "${name}": container "main": CrashLoopBackOff: it ended with exit code 3 (Error), started anew 2 times; ` +
        '0 of 2 replicas are ready, 2 of an older generation serve on',
    )
    assert.equal((await statusOf(eventsources, ns, 'orders')).problem, failed)
    assert.equal((await statusOf(eventsources, ns, 'orders')).ready, '0/2')
    // It starts, and does not get ready: nothing of the Deployment changes, and it is seen all the same.
    const slow = container({ running: { startedAt: '2026-01-01T00:00:00Z' } })
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: name!, namespace: ns }, status: slow }
    await rig.admin.applyStatus(resources.pods, pod, { manager: 'kubelet' })
    const mute = await available(eventsources, ns, 'orders', 'NotReady')
    assert.match(
      mute,
      /its readiness probe does not succeed\. It says: not ready; EventBus "default": self-signed cert/,
    )
    // A version that cannot be read changes nothing of what an autoscaler sees.
    await rig.apply(source(ns, 'replicas: 2, webhook: { order: { port: abc, endpoint: /orders, method: POST } }'))
    await until('it is refused', async () => (await statusOf(eventsources, ns, 'orders')).conditions.length === 2)
    const { ready, replicas, selector } = await statusOf(eventsources, ns, 'orders')
    assert.deepEqual([ready, replicas], ['0/2', 3])
    assert.match(selector, /eventsource-name=orders/)
  })

  test('Sensors are judged alike', async () => {
    const ns = await rig.kubernetes.namespace('rollout-sensor')
    await rig.kubernetes.account(ns, 'default', [])
    await rig.apply(bus(ns) + sensor(ns))
    await exists(deployments, ns, 'follow-sensor')
    const image = container({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "img"' } })
    await workload.rollOut(ns, 'follow-sensor', 'new', [image])
    assert.match(
      await available(sensors, ns, 'follow', 'ImagePullBackOff'),
      /^Pod "follow-sensor-new-0": .*"img"; 0 of 1/,
    )
    assert.equal((await statusOf(sensors, ns, 'follow')).ready, '0/1')
  })

  /** @returns those of an object, by reason */
  const eventsOf = async (ns: string, kind: string, name: string): Promise<Record<string, Plain>> => {
    const { items } = await rig.admin.list(resources.events, { namespace: ns })
    const about = (items as Plain[]).filter(({ involvedObject: to }) => to.kind === kind && to.name === name)
    return Object.fromEntries(about.map((event) => [event.reason, event]))
  }
  const happened = async (ns: string, kind: string, name: string, reason: string): Promise<Plain> => {
    await until(`${reason} of ${name}`, async () => (await eventsOf(ns, kind, name))[reason] !== undefined, 30_000)
    return (await eventsOf(ns, kind, name))[reason]!
  }
  const deploymentIn = async (ns: string) => (await rig.get(deployments, ns, 'orders-eventsource'))!
  const imageIn = async (ns: string) => (await deploymentIn(ns)).spec.template.spec.containers[0].image as string
  const imageBecomes = (ns: string, image: string) =>
    until(`the image is ${image}`, async () => (await imageIn(ns)) === image, 60_000)

  const asAdmin = (namespace: string) => {
    const { url, ca, tokenOf } = rig.kubernetes
    const tls = { ca: Buffer.from(ca) }
    const authorization = async () => `Bearer ${tokenOf('admin')}`
    return kubeTransport({ server: url, namespace, tls, authorization }, systemClock)
  }

  test('Events tell what is refused, what stands still and who leads, each once', async () => {
    const ns = await rig.kubernetes.namespace('told')
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'eventsource-orders', namespace: ns },
    }
    const held = (holderIdentity: string) =>
      rig.admin.apply(resources.leases, { ...lease, spec: { holderIdentity } }, { manager: holderIdentity })
    await held('orders-a')
    const k8s = ', annotations: { events.argoproj.io/leader-election: k8s }'
    const invalid = 'webhook: { order: { port: abc, endpoint: /orders, method: POST } }'
    const tick = 'calendar: { tick: { interval: 1m } }'
    const generation = async () => (await rig.get(eventsources, ns, 'orders'))!.metadata.generation
    for (let i = 0; i < 3; i++) {
      await rig.apply(bus(ns) + source(ns, invalid, k8s))
      await until(
        'it is seen',
        async () => (await statusOf(eventsources, ns, 'orders')).observedGeneration === (await generation()),
      )
      await rig.apply(source(ns, tick, k8s))
      await until(
        'it is seen',
        async () => (await statusOf(eventsources, ns, 'orders')).observedGeneration === (await generation()),
      )
    }
    const refused = await happened(ns, 'EventSource', 'orders', 'InvalidEventSource')
    await until(
      'it is counted',
      async () => (await eventsOf(ns, 'EventSource', 'orders')).InvalidEventSource?.count === 3,
    )
    assert.match(refused.message, /failed to parse server port abc/)
    assert.deepEqual([refused.type, refused.source.component], ['Warning', 'eventsource-controller'])
    assert.equal((await happened(ns, 'EventSource', 'orders', 'LeadChanged')).message, '"orders-a" leads')
    await held('orders-b')
    await rig.apply(source(ns, `replicas: 2, ${tick}`, k8s))
    await until(
      'the change of leader is told',
      async () =>
        (await eventsOf(ns, 'EventSource', 'orders')).LeadChanged?.message === '"orders-b" leads after "orders-a"',
      40_000,
    )
  })

  test('an autoscaler scales the EventSource; of its Deployment it is told, and nobody is kept busy', async () => {
    const ns = await rig.kubernetes.namespace('scaled')
    await rig.apply(bus(ns) + source(ns, `replicas: 2, ${webhook}`))
    await exists(deployments, ns, 'orders-eventsource')
    await workload.report(ns, 'orders-eventsource', both)
    await available(eventsources, ns, 'orders', 'True')
    const { selector } = await statusOf(eventsources, ns, 'orders')
    assert.equal(
      selector,
      Object.entries((await deploymentIn(ns)).spec.selector.matchLabels)
        .map((one) => one.join('='))
        .join(),
    )
    const { template } = (await deploymentIn(ns)).spec
    // As `kubectl scale` and a HorizontalPodAutoscaler do it.
    const transport = asAdmin(ns)
    const scale = {
      verb: 'patch',
      resource: eventsources,
      namespace: ns,
      name: 'orders',
      subresource: 'scale',
    } as const
    const answer = await transport.call(scale, {
      body: { spec: { replicas: 3 } },
      contentType: 'application/merge-patch+json',
    })
    await transport.close()
    assert.deepEqual([answer.status.replicas, answer.status.selector], [2, selector])
    await until('it is scaled', async () => (await deploymentIn(ns)).spec.replicas === 3)
    assert.deepEqual((await deploymentIn(ns)).spec.template, template)

    const autoscaler = { manager: 'kube-controller-manager' }
    const head = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'orders-eventsource', namespace: ns } }
    const contested = () => rig.condition(eventsources, ns, 'orders', 'Contested')
    for (let i = 0; i < 20 && (await contested()) === undefined; i++) {
      await rig.admin.apply(deployments, { ...head, spec: { replicas: 7 } }, autoscaler)
      await until(
        'it is put back, or left',
        async () => (await deploymentIn(ns)).spec.replicas === 3 || (await contested()) !== undefined,
      )
    }
    const message =
      /^Deployment "orders-eventsource" is changed by "kube-controller-manager" as often as it is put back/
    assert.match((await contested())!.message, message)
    assert.match((await happened(ns, 'EventSource', 'orders', 'Contested')).message, message)
    // It is tried again.
    await until('it is put back after a while', async () => (await deploymentIn(ns)).spec.replicas === 3, 30_000)
  })

  test('a native bus that somebody else scales again and again says who', async () => {
    const ns = await rig.kubernetes.namespace('rescaled')
    await rig.apply(bus(ns, 'jetstream: { version: latest }'))
    const { statefulsets, eventbus } = resources
    const name = 'eventbus-default-js'
    await exists(statefulsets, ns, name)
    const contested = () => rig.condition(eventbus, ns, 'default', 'Contested')
    const head = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name, namespace: ns } }
    const servers = async () => (await rig.get(statefulsets, ns, name))!.spec.replicas as number
    for (let i = 0; i < 20 && (await contested()) === undefined; i++) {
      await rig.admin.apply(statefulsets, { ...head, spec: { replicas: 4 } }, { manager: 'scaler' })
      await until('it is put back, or left', async () => (await servers()) === 3 || (await contested()) !== undefined)
    }
    assert.match((await contested())!.message, /^StatefulSet "eventbus-default-js" is changed by "scaler" as often/)
    await until('it is put back after a while', async () => (await servers()) === 3, 30_000)
  })

  test('a controller for one namespace is known by its Lease: the one for all stands back, and takes over when it is gone', async () => {
    const ns = await rig.kubernetes.namespace('own')
    await rig.apply(bus(ns) + source(ns, webhook))
    await exists(deployments, ns, 'orders-eventsource')
    const second = await rig.startController({ namespaced: ns, identity: 'second', settings: { image: 'img:2' } })
    await imageBecomes(ns, 'img:2')
    assert.match(
      (await happened(ns, 'EventSource', 'orders', 'StandsBack')).message,
      /has a controller of its own, "second" \(Lease argo-events-controller\)/,
    )
    await imageBecomes(ns, 'img:2')
    const { generation } = (await deploymentIn(ns)).metadata
    await rig.apply(source(ns, `replicas: 5, ${webhook}`))
    await until('it is scaled', async () => (await deploymentIn(ns)).spec.replicas === 5)
    assert.equal((await deploymentIn(ns)).metadata.generation, generation + 1)
    assert.ok(generation < 40)
    await second.stop()
    await imageBecomes(ns, 'img:1')
  })

  test('what is rendered of a bus whose servers have no disks can be sent over them, as kubectl diff does', async () => {
    const ns = await rig.kubernetes.namespace('rendered')
    const native = (replicas: number) => bus(ns, `jetstream: { version: latest, replicas: ${replicas} }`)
    await rig.apply(native(1))
    const name = 'eventbus-default-js'
    await exists(resources.statefulsets, ns, name)
    const live = (await rig.get(resources.statefulsets, ns, name))!
    const transport = asAdmin(ns)
    const contentType = 'application/merge-patch+json'
    const sent = async (...inputs: string[]) => {
      const loaded = await loadManifest(inputs.map((text, i) => ({ file: `${i}`, text })))
      const { objects, notes } = render(loaded, settingsFrom({ VEDETTE_IMAGE: 'img:1' }))
      const { spec } = objects.find(({ kind }) => kind === 'StatefulSet')!
      const call = { verb: 'patch', resource: resources.statefulsets, namespace: ns, name } as const
      await transport.call(call, { body: { spec }, contentType, query: { dryRun: 'All' } })
      return notes.join('\n')
    }
    // Three have disks unless something is there already.
    await assert.rejects(sent(native(3)), /volumeClaimTemplates|fields other than/)
    const notes = await sent(native(3) + source(ns, webhook), JSON.stringify(live))
    assert.match(notes, /image of EventSource Pods is "img:1"/)
    assert.doesNotMatch(notes, /StatefulSet/)
    await transport.close()
  })

  test('a namespace that is deleted is not held up for what cannot be removed any more, and that is told', async () => {
    const ns = await rig.kubernetes.namespace('ending')
    const hooked =
      'github: { push: { repositories: [{ owner: o, names: [r] }], webhook: { endpoint: /push, port: "12000", ' +
      'method: POST, url: "http://example.com" }, events: ["*"], apiToken: { name: token, key: token } } }'
    await rig.apply(bus(ns) + source(ns, hooked))
    await exists(deployments, ns, 'orders-eventsource')
    await rig.admin.delete(resources.namespaces, { name: ns })
    await rig.admin.delete(eventsources, { namespace: ns, name: 'orders' })
    await until('it goes', async () => (await rig.get(eventsources, ns, 'orders')) === null, 30_000)
    const left = await happened('default', 'Namespace', ns, 'RemoteCleanupFailed')
    assert.match(left.message, /^EventSource "orders": its namespace is being deleted, and no Job can be made/)
  })

  test('two that know nothing of each other: it is noticed, said, and slowed', async () => {
    const ns = await rig.kubernetes.namespace('fought')
    await rig.apply(bus(ns) + source(ns, webhook))
    await exists(deployments, ns, 'orders-eventsource')
    const second = await rig.startController({ election: false, settings: { image: 'img:3' } })
    const told = await happened(ns, 'EventSource', 'orders', 'Contested')
    assert.match(told.message, /is changed by another vedette-controller as often as it is put back/)
    const { generation } = (await deploymentIn(ns)).metadata
    // Before: hundreds within seconds.
    assert.ok(generation < 40, `${generation} generations`)
    await second.stop()
    await imageBecomes(ns, 'img:1')
  })
})
