/**
 * The controller is killed (kill -9) at each of its calls to the API server in turn, once before the call arrives and once after it was
 * carried out and before the answer is back. The next controller finds what is there and reaches the same end, whatever was half done.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { type KubeObject, keyOf } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { FULL } from '../full.ts'
import { type ApiProxy, startApiProxy } from '../servers/api-proxy.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { kubeconfig } from '../servers/kubernetes/controlPlane.ts'
import { freePorts, type ServerProcess, startProcess } from '../servers/process.ts'
import { type Plain, type Rig, resources, startRig } from './rig.ts'

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))
/** How many calls, spread over all, a run kills at that is not a full one. */
const SPREAD = 4
const NS = 'killed'

const bus = `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ${NS} }
spec: { jetstream: { version: latest, replicas: 3 } }
---`
/** Of a type with hooks, so that the finalizer and the Job of the removal are in it. */
const source = (election: string, spec: string) => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders, namespace: ${NS}, annotations: { events.argoproj.io/leader-election: "${election}" } }
spec:
  ${spec}
  github:
    push:
      repositories: [{ owner: o, names: [r] }]
      webhook: { endpoint: /push, port: "12000", method: POST, url: "http://example.com" }
      events: ["*"]
      apiToken: { name: token, key: token }
`

/** What users do, one thing after the other; each leads to a state of its own. */
const steps: ((rig: Rig) => Promise<unknown>)[] = [
  (rig) => rig.apply(bus + source('k8s', 'replicas: 3\n  service: { ports: [{ port: 80, targetPort: 12000 }] }')),
  // What it no longer asks for goes: Service, budget, Role and RoleBinding.
  (rig) => rig.apply(source('', 'replicas: 1')),
  (rig) => rig.admin.delete(resources.eventsources, { namespace: NS, name: 'orders' }),
  (rig) => rig.admin.delete(resources.eventbus, { namespace: NS, name: 'default' }),
]

/** Minutes: only in full runs. */
const register = FULL ? suite : () => {}

register('the controller killed at its calls', { skip, timeout: 2_400_000 }, () => {
  let rig: Rig
  let token: string
  before(async () => {
    rig = await startRig()
    await rig.kubernetes.namespace(NS)
    token = await rig.kubernetes.account('argo-events', 'vedette-controller', [])
  })
  after(() => rig?.stop())

  test('the next one reaches the same end', async (t) => {
    const { calls, states } = await undisturbed()
    const indices = FULL
      ? calls.map((_, i) => i)
      : Array.from({ length: SPREAD }, (_, i) => Math.floor(((i + 0.5) * calls.length) / SPREAD))
    let kills = 0
    for (const index of indices) {
      for (const when of FULL ? (['before', 'after'] as const) : ([index % 2 === 0 ? 'before' : 'after'] as const)) {
        if (await killedAt(index, when, states)) kills++
      }
    }
    t.diagnostic(`${calls.length} calls, ${kills} kills`)
    // Calls come in another order now and then, and one run may do with some fewer.
    assert.ok(kills >= (FULL ? calls.length * 1.5 : SPREAD - 1), `only ${kills} kills`)
  })

  /** All steps without a kill. @returns the calls that the controller made, and the state after each step */
  async function undisturbed(): Promise<{ calls: string[]; states: Plain[] }> {
    const proxy = await startApiProxy(rig.kubernetes)
    const controller = await startController(proxy)
    const states: Plain[] = []
    try {
      for (const step of steps) {
        await step(rig)
        states.push(await atRest(proxy))
      }
      return { calls: [...proxy.calls], states }
    } finally {
      await controller.kill()
      await proxy.close()
      await clear()
    }
  }

  /** @returns whether there was such a call */
  async function killedAt(index: number, when: 'before' | 'after', states: Plain[]): Promise<boolean> {
    const proxy = await startApiProxy(rig.kubernetes)
    const first = await startController(proxy, (controller) =>
      proxy.haltAt(index, when, () => void controller.child.kill('SIGKILL')),
    )
    const gone = new Promise<void>((resolve) => first.child.once('exit', () => resolve()))
    let killed = false
    let second: Promise<ServerProcess> | undefined
    void gone.then(() => {
      killed = true
      second ??= startController(null)
      second.catch(() => {})
    })
    const at = `${when} call ${index} (${proxy.calls[index] ?? 'of a later step'})`
    try {
      for (const [i, step] of steps.entries()) {
        await step(rig)
        let state: Plain = {}
        const same = async () => {
          await completeJobs()
          state = await stateNow()
          return JSON.stringify(state) === JSON.stringify(states[i])
        }
        await until(`step ${i}, killed ${at}`, same, 30_000).catch((error) => {
          assert.deepEqual(state, states[i], `step ${i}, killed ${at}`)
          throw error
        })
      }
      return killed
    } finally {
      await first.kill()
      await gone
      await (await second?.catch(() => undefined))?.kill()
      await proxy.close()
      await clear()
    }
  }

  /** With the shipped rights. @param proxy what it has instead of the API server. @param before it is waited for */
  async function startController(
    proxy: ApiProxy | null,
    before: (controller: ServerProcess) => void = () => {},
  ): Promise<ServerProcess> {
    const [health, metrics] = (await freePorts(2)) as [number, number]
    const file = path.join(rig.kubernetes.dir, `controller-${health}.kubeconfig`)
    const { url, ca } = proxy ?? rig.kubernetes
    writeFileSync(file, kubeconfig({ url, ca, token, namespace: 'argo-events' }), { mode: 0o600 })
    let told = false
    return await startProcess(
      process.execPath,
      [
        ...[main, 'controller', '--leader-election', 'false', '--bind', '127.0.0.1'],
        ...['--health-port', `${health}`, '--metrics-port', `${metrics}`],
      ],
      {
        env: { KUBECONFIG: file, NAMESPACE: 'argo-events', VEDETTE_IMAGE: 'img:1' },
        // A process that is to die at its first calls is never ready.
        ready: async (controller) => {
          if (!told) before(controller)
          told = true
          return proxy === null || proxy.calls.length > 0
        },
      },
    )
  }

  /** Once the controller makes no call any more. */
  async function atRest(proxy: ApiProxy): Promise<Plain> {
    let [count, sinceMs] = [-1, 0]
    const quiet = async () => {
      await completeJobs()
      if (proxy.calls.length !== count) [count, sinceMs] = [proxy.calls.length, performance.now()]
      // Longer than it waits before it looks at a removal again.
      return performance.now() - sinceMs > 3_000
    }
    await until('the controller is at rest', quiet, 60_000)
    return await stateNow()
  }

  /** All that the namespace holds of ours, without what is another each time. */
  async function stateNow(): Promise<Plain> {
    const found = await Promise.all(
      kinds.map(async (resource) => {
        const { items } = await rig.admin.list(resource, { namespace: NS })
        return items
          .filter(({ metadata }) => !OTHERS.includes(metadata.name))
          .map((object) => [`${resource.plural} ${keyOf(object)}`, plain(object)] as const)
      }),
    )
    return Object.fromEntries(found.flat().sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** What the Job controller would do. */
  async function completeJobs(): Promise<void> {
    const now = new Date().toISOString().replace(/\..*/, 'Z')
    for (const { apiVersion, kind, metadata, status } of (await rig.admin.list(resources.jobs, { namespace: NS }))
      .items) {
      if ((status as Plain | undefined)?.completionTime !== undefined) continue
      const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => ({
        ...{ type, status: 'True', reason: 'x', message: 'x', lastTransitionTime: now, lastProbeTime: now },
      }))
      const done = { startTime: now, completionTime: now, conditions }
      const { name } = metadata
      const object = { apiVersion, kind, metadata: { name, namespace: NS }, status: done }
      await rig.admin.applyStatus(resources.jobs, object, { manager: 'jobs' })
    }
  }

  /** What the garbage collector would do, and what a run that failed leaves. */
  async function clear(): Promise<void> {
    for (const resource of kinds) {
      for (const { metadata, ...rest } of (await rig.admin.list(resource, { namespace: NS })).items) {
        if (OTHERS.includes(metadata.name)) continue
        if (metadata.finalizers !== undefined)
          await rig.admin.update(resource, { ...rest, metadata: { ...metadata, finalizers: [] } })
        await rig.admin.delete(resource, { namespace: NS, name: metadata.name })
      }
    }
    await until('nothing is left', async () => Object.keys(await stateNow()).length === 0)
  }
})

const { eventsources, eventbus, deployments, statefulsets, services, configmaps, secrets } = resources
const { poddisruptionbudgets, roles, rolebindings, jobs, persistentvolumeclaims } = resources
const kinds = [
  ...[eventsources, eventbus, deployments, statefulsets, services, configmaps, secrets],
  ...[poddisruptionbudgets, roles, rolebindings, jobs, persistentvolumeclaims],
]
/** Made by Kubernetes. */
const OTHERS = ['kube-root-ca.crt', 'kubernetes']

/** What is to be equal: all but identities, times, what the API server chose, and generated secrets with their hash. */
function plain({ metadata, data, ...rest }: KubeObject & { data?: object }): Plain {
  const { name, labels, finalizers, ownerReferences = [] } = metadata
  const owners = ownerReferences.map(({ kind, name }) => `${kind}/${name}`)
  const content =
    rest.kind === 'Secret'
      ? { keys: Object.keys(data ?? {}).sort() }
      : { annotations: metadata.annotations, ...(data === undefined ? {} : { data }) }
  return JSON.parse(
    JSON.stringify({ name, labels, finalizers, owners, ...content, ...rest }, (key, value) =>
      CHOSEN.has(key) ? undefined : value,
    ),
  )
}

const CHOSEN = new Set([
  ...['clusterIP', 'clusterIPs', 'nodePort', 'uid', 'controller-uid', 'batch.kubernetes.io/controller-uid'],
  ...['lastTransitionTime', 'lastProbeTime', 'startTime', 'completionTime', 'observedGeneration'],
])
