/** `vedette controller` as a process, as it is installed and with the rights that are shipped: starts, leads, and ends when it is told to. */
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

test('vedette controller leads, makes objects, lacks no right, and ends with 0 on SIGTERM, its Lease given back', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const rig = await startRig()
  t.after(() => rig.stop())
  const [health, metrics, webhook] = (await freePorts(3)) as [number, number, number]
  const ready = () =>
    fetch(`http://127.0.0.1:${health}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  const ports = [
    ...['--health-port', `${health}`, '--metrics-port', `${metrics}`, '--bind', '127.0.0.1'],
    ...['--webhook', '--webhook-port', `${webhook}`],
  ]
  const kubeconfig = rig.kubernetes.kubeconfigFor(
    await rig.kubernetes.account('argo-events', 'vedette-controller', []),
    'argo-events',
  )
  const env = { KUBECONFIG: kubeconfig, NAMESPACE: 'argo-events', VEDETTE_IMAGE: 'img:1' }
  const process_ = await startProcess(process.execPath, [main, 'controller', ...ports], { ready, env })
  t.after(() => process_.kill())
  await rig.apply(`
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: default }
spec: { jetstream: { version: latest } }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: tick, namespace: default, annotations: { events.argoproj.io/leader-election: k8s } }
spec: { replicas: 2, service: { ports: [{ port: 80 }] }, calendar: { minute: { interval: 1m } } }
`)
  const { deployments, eventsources, leases } = resources
  await until(
    'the Deployment is there',
    async () => (await rig.get(deployments, 'default', 'tick-eventsource')) !== null,
    30_000,
  )
  const deployed = async () => (await rig.condition(eventsources, 'default', 'tick', 'Deployed'))?.status === 'True'
  await until('all else is there', deployed, 30_000)
  const { validatingwebhookconfigurations } = resources
  const configuration = () => rig.get(validatingwebhookconfigurations, '', 'webhook.argo-events.argoproj.io')
  await until(
    'the webhook is told',
    async () => (await configuration())?.webhooks[0].clientConfig.caBundle !== undefined,
    30_000,
  )
  // Said by one of the controllers in it: a namespace has one of its own.
  const renewTime = new Date().toISOString().replace('Z', '000Z')
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'argo-events-controller', namespace: await rig.kubernetes.namespace('taken') },
    spec: { holderIdentity: 'theirs', leaseDurationSeconds: 60, renewTime },
  }
  await rig.admin.create(leases, lease)
  await rig.apply(`
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: tick, namespace: taken }
spec: { calendar: { minute: { interval: 1m } } }
`)
  await until('it is said', () => /stands back/.test(process_.output()), 30_000)
  process_.child.kill('SIGTERM')
  const [code] = await once(process_.child, 'exit')
  assert.equal(code, 0, process_.output())
  assert.equal((await rig.get(leases, 'argo-events', 'argo-events-controller'))!.spec.holderIdentity, '')
  assert.doesNotMatch(process_.output(), /Add to a/)
  for (const line of process_.output().trim().split('\n')) {
    const { logger, msg } = JSON.parse(line)
    const name = /stands back/.test(msg) ? 'eventsource-controller' : 'controller-manager'
    assert.equal(logger, `argo-events.${name}`)
  }
})
