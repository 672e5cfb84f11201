import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type KubeObject, resources } from '../src/kube/resources.ts'
import { type Rig, startRig } from '../test/controller/rig.ts'
import { waitFor } from '../test/faults/rig.ts'
import { type ApiProxy, startApiProxy } from '../test/servers/api-proxy.ts'
import { kubeconfig } from '../test/servers/kubernetes/controlPlane.ts'
import { freePorts, startProcess } from '../test/servers/process.ts'
import { table } from './measure.ts'
import { cpuMs, residentMb } from './process.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname
const PER_NAMESPACE = 100
const AT_ONCE = 16

/** One controller, started when that many EventSources are there and none has a Deployment. @returns tables for docs/performance.md */
export async function manyEventSources({
  count,
  minutes,
  say,
}: {
  count: number
  /** How long it is watched when there is nothing left to do. */
  minutes: number
  say: (line: string) => void
}): Promise<string> {
  const rig = await startRig()
  const proxy = await startApiProxy(rig.kubernetes)
  try {
    const namespaces = await fill(rig, count)
    say(`${count} EventSources in ${namespaces.length} namespaces`)
    const controller = await startController(rig, proxy)
    try {
      const beganMs = performance.now()
      const sinceS = () => (performance.now() - beganMs) / 1_000
      const rows: (string | number)[][] = []
      let peakMb = 0
      const sampler = setInterval(() => {
        peakMb = Math.max(peakMb, residentMb(controller.pid))
      }, 200)
      let [calls, cpu] = [0, 0]
      const row = (what: string) => {
        const [callsNow, cpuNow] = [proxy.calls.length, cpuMs(controller.pid)]
        const mb = residentMb(controller.pid)
        const cells = [sinceS().toFixed(0), callsNow - calls, ((callsNow - calls) / count).toFixed(1)]
        rows.push([what, ...cells, ((cpuNow - cpu) / 1_000).toFixed(1), mb.toFixed(0), peakMb.toFixed(0)])
        say(rows.at(-1)!.join(' '))
        ;[calls, cpu, peakMb] = [callsNow, cpuNow, 0]
      }
      try {
        await waitFor(async () => deployed(proxy) >= count, 900_000, 2_000)
        row('every EventSource has its Deployment and its status')
        await makeAvailable(rig, namespaces)
        await waitFor(async () => (await availableCount(rig, namespaces)) === count, 900_000, 2_000)
        row('every Deployment was said to be available, and every status says so')
        for (let minute = 1; minute <= minutes; minute++) {
          await pause(60_000)
          row(`minute ${minute} after that`)
        }
        return table(['until', 's', 'API calls', 'per object', 'CPU s', 'resident MB', 'highest MB'], rows)
      } finally {
        clearInterval(sampler)
      }
    } finally {
      await controller.kill()
    }
  } finally {
    await proxy.close()
    await rig.stop()
  }
}

/** EventSources that have had a status, by the calls. */
const deployed = ({ calls }: ApiProxy): number =>
  new Set(calls.filter((call) => call.startsWith('PATCH') && /\/eventsources\/[^/]+\/status$/.test(call))).size

/** Half active-active, half active-passive, all with two replicas and every second with a Service. @returns the namespaces */
async function fill({ kubernetes, admin }: Rig, count: number): Promise<string[]> {
  const namespaces = Array.from({ length: Math.ceil(count / PER_NAMESPACE) }, (_, i) => `team-${i}`)
  await each(namespaces, async (namespace) => {
    await kubernetes.namespace(namespace)
    await admin.create(resources.eventbus, {
      ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'EventBus', metadata: { name: 'default', namespace } },
      spec: { jetstreamExotic: { url: 'nats://nats:4222' } },
    })
  })
  const objects = Array.from({ length: count }, (_, i) => ({
    ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource' },
    metadata: { name: `source-${i}`, namespace: namespaces[i % namespaces.length]! },
    spec: i % 2 === 0 ? hook : tick,
  }))
  await each(objects, (object) => admin.create(resources.eventsources, object))
  return namespaces
}

const hook = {
  replicas: 2,
  service: { ports: [{ port: 80, targetPort: 12000 }] },
  webhook: { order: { port: '12000', endpoint: '/orders', method: 'POST' } },
}
const tick = { replicas: 2, calendar: { minute: { interval: '1m' } } }

/** What the Deployment controller would say: no Pod runs here. */
async function makeAvailable({ admin }: Rig, namespaces: string[]): Promise<void> {
  await each(namespaces, async (namespace) => {
    for (const { apiVersion, kind, metadata } of (await admin.list(resources.deployments, { namespace })).items) {
      const { name, generation } = metadata
      const status = {
        ...{ observedGeneration: generation, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 },
        conditions: [{ type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: '' }],
      }
      const object: KubeObject = { apiVersion, kind, metadata: { name, namespace }, status }
      await admin.applyStatus(resources.deployments, object, { manager: 'deployments' })
    }
  })
}

async function availableCount({ admin }: Rig, namespaces: string[]): Promise<number> {
  let available = 0
  for (const namespace of namespaces) {
    for (const { status } of (await admin.list(resources.eventsources, { namespace })).items) {
      const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] }
      if (conditions.some(({ type, status }) => type === 'Available' && status === 'True')) available++
    }
  }
  return available
}

/** As installed: its rights, its own Lease. */
async function startController({ kubernetes }: Rig, { url, ca }: ApiProxy) {
  const [health, metrics] = (await freePorts(2)) as [number, number]
  const token = await kubernetes.account('argo-events', 'vedette-controller', [])
  const file = join(kubernetes.dir, 'bench.kubeconfig')
  writeFileSync(file, kubeconfig({ url, ca, token, namespace: 'argo-events' }), { mode: 0o600 })
  const ports = ['--health-port', `${health}`, '--metrics-port', `${metrics}`, '--bind', '127.0.0.1']
  return await startProcess(process.execPath, [main, 'controller', ...ports], {
    env: { KUBECONFIG: file, NAMESPACE: 'argo-events', VEDETTE_IMAGE: 'img:1' },
    ready: async () => true,
  })
}

/** Some at once. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values()
  const worker = async () => {
    for (const item of left) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}
