/** `vedette controller` as a process: starts, leads, and ends when it is told to. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import path from 'node:path'
import { test } from 'node:test'
import { resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { freePorts, startProcess } from '../servers/process.ts'
import { startRig } from './rig.ts'

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))

test('vedette controller leads, makes objects, and ends with 0 on SIGTERM, its Lease given back', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const rig = await startRig()
  t.after(() => rig.stop())
  const [health, metrics] = (await freePorts(2)) as [number, number]
  const ready = () =>
    fetch(`http://127.0.0.1:${health}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  const ports = ['--health-port', `${health}`, '--metrics-port', `${metrics}`, '--bind', '127.0.0.1']
  const env = { KUBECONFIG: rig.kubernetes.kubeconfig, NAMESPACE: 'argo-events', VEDETTE_IMAGE: 'img:1' }
  const process_ = await startProcess(process.execPath, [main, 'controller', ...ports], { ready, env })
  t.after(() => process_.kill())
  await rig.apply(`
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: default }
spec: { jetstreamExotic: { url: nats://nats:4222 } }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: tick, namespace: default }
spec: { calendar: { minute: { interval: 1m } } }
`)
  const { deployments, leases } = resources
  await until(
    'the Deployment is there',
    async () => (await rig.get(deployments, 'default', 'tick-eventsource')) !== null,
    30_000,
  )
  process_.child.kill('SIGTERM')
  const [code] = await once(process_.child, 'exit')
  assert.equal(code, 0, process_.output())
  assert.equal((await rig.get(leases, 'argo-events', 'argo-events-controller'))!.spec.holderIdentity, '')
  for (const line of process_.output().trim().split('\n')) {
    assert.equal(JSON.parse(line).logger, 'argo-events.eventbus-controller')
  }
})
