/** Roll-outs take turns, on a real API server. There is nobody who makes Pods: how far Deployments are is said here. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { until } from '../contract/bus.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Plain, type Rig, resources, startRig } from './rig.ts'

const { deployments, eventsources } = resources
const skip = without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver']))
const NAMES = ['a', 'b', 'c', 'd']

suite('roll-outs of many EventSources', { skip, timeout: 120_000 }, () => {
  let rig: Rig
  before(async () => {
    rig = await startRig()
  })
  after(() => rig?.stop())

  test('so many at once, the others serve on and say that they wait; new ones do not', async () => {
    const ns = await rig.kubernetes.namespace('rollouts')
    const bus = `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ${ns} }
spec: { jetstreamExotic: { url: "nats://nats.nowhere:4222", streamConfig: "" } }
---`
    const source = (name: string) => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: ${name}, namespace: ${ns} }
spec: { calendar: { tick: { interval: 10s } } }
`
    const deployment = (name: string) => rig.get(deployments, ns, `${name}-eventsource`)
    const imageOf = async (name: string) => (await deployment(name))?.spec.template.spec.containers[0].image
    const said = (name: string) => rig.condition(eventsources, ns, name, 'Deployed')
    const there = (what: string, condition: () => Promise<boolean>) => until(what, condition, 30_000)
    /** As the cluster's controller of Deployments, when all Pods are as wanted. */
    const settle = async (name: string) => {
      const { metadata, spec } = (await deployment(name)) as Plain
      const { replicas } = spec
      const counts = { replicas, updatedReplicas: replicas, readyReplicas: replicas }
      await rig.admin.applyStatus(
        deployments,
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: metadata.name, namespace: ns },
          status: { observedGeneration: metadata.generation, ...counts },
        },
        { manager: 'deployments' },
      )
    }
    const before = await rig.startController({ settings: { rollouts: 2 } })
    await rig.apply(bus + NAMES.map((name) => source(name)).join('---'))
    for (const name of NAMES) await there(`${name} is new`, async () => (await imageOf(name)) === 'img:1')
    for (const name of NAMES) await settle(name)
    await before.stop()

    await rig.startController({ settings: { rollouts: 2, image: 'img:2' } })
    const changed = async () => {
      const images = await Promise.all(NAMES.map(imageOf))
      return NAMES.filter((_, i) => images[i] === 'img:2')
    }
    const waiting = async () => {
      const all = await Promise.all(NAMES.map(said))
      return NAMES.filter((_, i) => all[i]?.reason === 'RollOutWaits')
    }
    await there('two wait', async () => (await waiting()).length === 2)
    const first = await changed()
    assert.equal(first.length, 2)
    const waits = await waiting()
    assert.deepEqual([...first, ...waits].sort(), NAMES)
    assert.match((await said(waits[0]!))?.message, /replaced when others are .*--rollouts.* serve on$/)
    await rig.apply(source('e'))
    await there('one that is new waits for nobody', async () => (await imageOf('e')) === 'img:2')
    assert.deepEqual(await changed(), first)

    await settle(first[0]!)
    await there('the next one has its turn', async () => (await changed()).length === 3)
    await there('one waits still', async () => (await waiting()).length === 1)
    assert.equal((await changed()).length, 3)
    await settle(first[1]!)
    await there('and the last', async () => (await changed()).length === 4)
    await there('nobody waits', async () => (await waiting()).length === 0)
    for (const name of NAMES) assert.equal((await said(name))?.status, 'True')
  })
})
