/** What an operator sees and does on a day: roll-outs that stand still, scaling, others who touch the same objects. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Plain, type Rig, startRig } from './rig.ts'
import { PodReady, type Workload, workloadOf } from './workload.ts'

const { deployments, eventsources, sensors } = resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))

const bus = (namespace: string) => `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ${namespace} }
spec: { jetstreamExotic: { url: "nats://nats:4222" } }
---
`
const webhook = 'webhook: { order: { port: "12000", endpoint: /orders, method: POST } }'
const source = (namespace: string, spec: string, metadata = '') => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders, namespace: ${namespace}${metadata} }
spec: { ${spec} }
---
`
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
})
