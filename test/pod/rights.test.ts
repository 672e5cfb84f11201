/**
 * The Roles for the Lease of an EventSource, the one that the controller makes and the one that users bind themselves, are enough for a replica to
 * lead, and nothing in them is spare: with each verb taken away in turn it says which one is missing.
 */
import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { install } from '../../src/controller/install/install.ts'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { until } from '../contract/bus.ts'
import { type NatsFixture, startJetStream } from '../contract/jetstream.fixture.ts'
import { without } from '../servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, type PolicyRule, startKubernetes } from '../servers/kubernetes.ts'
import { natsBinary } from '../servers/nats.ts'
import { objectOf, startPod } from './pods.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly)) || without('nats-server', natsBinary('newest'))

/** By the name of the EventSource, as they are shipped. */
const roles: Record<string, (eventSource: string) => Promise<PolicyRule[]>> = {
  made: async (eventSource) => {
    const text = `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: ${eventSource}, annotations: { events.argoproj.io/leader-election: k8s } }
spec: { calendar: { tick: { interval: 1m } } }
`
    const { objects } = render(await loadManifest([{ file: '', text }]), settingsFrom({}))
    return rulesOf(objects, `${eventSource}-eventsource-lease`)
  },
  bound: async () => rulesOf(install({ definitions: [] }), 'vedette-leader-election'),
}

const rulesOf = (objects: KubeObject[], role: string) =>
  objects.find(({ kind, metadata }) => kind.endsWith('Role') && metadata.name === role)!.rules as PolicyRule[]

const less = (rules: PolicyRule[], verb: string) =>
  rules
    .map((rule) => ({ ...rule, verbs: rule.verbs.filter((one) => one !== verb) }))
    .filter(({ verbs }) => verbs.length > 0)

suite('the rights of a replica that elects by Lease', { skip, timeout: 300_000 }, () => {
  let cluster: Kubernetes
  let bus: NatsFixture
  before(async () => {
    ;[cluster, bus] = await Promise.all([startKubernetes({ controllers: false }), startJetStream()])
  })
  after(() => Promise.all([cluster?.stop(), bus?.close()]))

  suite('are enough, and each is needed', { concurrency: 3 }, () => {
    for (const [role, rulesFor] of Object.entries(roles)) {
      for (const lacking of [null, 'get', 'create', 'update']) {
        test(`${role}: ${lacking === null ? 'whole' : `without ${lacking}`}`, async (t) => {
          const name = `${role}-${lacking ?? 'whole'}`
          const rules = await rulesFor(name)
          const pod = await startReplica(t, name, lacking === null ? rules : less(rules, lacking))
          if (lacking === null) return await until('it leads', () => pod.leads(), 60_000)
          const remedy = `apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["${lacking}"]`
          let last = ''
          await until(
            'it says so',
            async () => {
              last = (await pod.get('/readyz')).text
              return last.includes(remedy)
            },
            60_000,
          ).catch((error) => assert.fail(`${error.message}: ${remedy}\nit says: ${last}`))
          assert.equal(await pod.leads(), false)
          assert.equal(pod.child.exitCode, null)
        })
      }
    }
  })

  /** One replica, which finds a Lease that the last one gave back unless it is to make one. */
  async function startReplica(t: TestContext, name: string, rules: PolicyRule[]) {
    const token = await cluster.account('default', name, rules)
    if (name.endsWith('-update')) {
      const spec = { holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 1 }
      const metadata = { name: `eventsource-${name}`, namespace: 'default' }
      const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
      await cluster.client.create(resources.leases, lease)
    }
    return await startPod(t, {
      object: () => objectOf(name, { calendar: { tick: { schedule: '', interval: '1m' } } }),
      bus: { jetstream: { url: bus.urls[0]! } },
      name: `${name}-a`,
      env: { LEADER_ELECTION: 'k8s', KUBECONFIG: cluster.kubeconfigFor(token, 'default') },
    })
  }
})
