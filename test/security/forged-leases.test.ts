/**
 * Whoever may write the Lease by which Pods elect gives its fields every kind of value, one with another (S15). What the API server takes costs a change of
 * leader, or a wait that each replica names; beside it ticks and requests go on, and none is lost or stored twice. A representative of each kind in
 * every run, all combinations with VEDETTE_FULL=1.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { microTime } from '../../src/ha/locks/kubernetes-lease.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { assertAcknowledgedOnce } from '../faults/checks.ts'
import { startCrowd } from '../faults/senders.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { allReady, anyLeader, linesOf, objectOf, type Pod, startPods } from '../pod/pods.ts'
import { without } from '../servers/cache.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { natsBinary } from '../servers/nats.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly)) || without('nats-server', natsBinary('newest'))
const PATIENCE_MS = 30_000
const often = { namespace: 'default', entry: 'tick', everyMs: 200 }
const place = { namespace: 'default', name: 'eventsource-clock' }
const INT32 = 2 ** 31 - 1

const clock = (port: number) =>
  objectOf('clock', {
    replicas: 2,
    calendar: { tick: { schedule: '', interval: `${often.everyMs}ms` } },
    webhook: { order: { endpoint: '/orders', method: 'POST', port: String(port), url: '' } },
  })

/** Short, so that the test is. */
const env = {
  LEADER_ELECTION: 'k8s',
  LEADER_ELECTION_LEASE_DURATION: '1s',
  LEADER_ELECTION_RENEW_DEADLINE: '600ms',
  LEADER_ELECTION_RETRY_PERIOD: '200ms',
}

interface Value {
  kind: string
  /** undefined: the field is not there. */
  is: (holder: string) => unknown
  /** By the API server. */
  refused?: true
}
const is = (kind: string, value: unknown): Value => ({ kind, is: () => value })
const refused = (kind: string, value: unknown): Value => ({ kind, is: () => value, refused: true })

/** Of each field; the first is what a Pod of Argo Events might write. */
const fields = {
  holderIdentity: [
    is('a stranger', 'mallory'),
    is('nobody', ''),
    is('not there', undefined),
    { kind: 'the leader itself', is: (holder) => holder },
    is('what steers a terminal', '\u009b2J\u202e\n'),
    is('100 kB', 'm'.repeat(100_000)),
  ],
  renewTime: [
    { kind: 'now', is: () => microTime(Date.now()) },
    is('in 1970', '1970-01-01T00:00:00.000000Z'),
    is('in the year 9999', '9999-12-31T23:59:59.999999Z'),
    is('not there', undefined),
    refused('no time', 'yesterday'),
  ],
  leaseDurationSeconds: [
    is('a second', 1),
    is('68 years', INT32),
    is('not there', undefined),
    refused('nothing', 0),
    refused('negative', -5),
    refused('more than an int32', INT32 + 1),
  ],
  leaseTransitions: [
    is('none', 0),
    is('as many as can be counted', INT32),
    is('not there', undefined),
    refused('negative', -1),
  ],
} satisfies Record<string, Value[]>
type Field = keyof typeof fields
type Row = Record<Field, Value>

const names = Object.keys(fields) as Field[]
const product = (): Row[] =>
  names.reduce<Partial<Row>[]>(
    (rows, name) => rows.flatMap((row) => fields[name].map((value) => ({ ...row, [name]: value }))),
    [{}],
  ) as Row[]
/** Each kind once, beside the first of the others. */
function representatives(): Row[] {
  const first = Object.fromEntries(names.map((name) => [name, fields[name][0]])) as Row
  return [first, ...names.flatMap((name) => fields[name].slice(1).map((value) => ({ ...first, [name]: value })))]
}

const wordsOf = (row: Row): string => names.map((name) => `${name} ${row[name].kind}`).join(', ')

type Lease = KubeObject & { spec: Record<string, unknown> }

suite('a Lease that somebody has written', { skip, timeout: 880_000 }, () => {
  let cluster: Kubernetes
  before(async () => {
    cluster = await startKubernetes({ controllers: false })
  })
  after(() => cluster?.stop())

  const leaseOf = () => cluster.client.get<Lease>(resources.leases, place)

  /** @returns false: the API server does not take it */
  async function forge(row: Row): Promise<boolean> {
    let taken = false
    await until(
      'the Lease is changed',
      async () => {
        const lease = await leaseOf()
        const holder = `${lease?.spec.holderIdentity ?? ''}`
        if (lease === null || holder === '') return false
        const changed = Object.fromEntries(names.map((name) => [name, row[name].is(holder)]))
        return await cluster.client.update(resources.leases, { ...lease, spec: { ...lease.spec, ...changed } }).then(
          () => {
            taken = true
            return true
          },
          (error: Error & { code: string }) => {
            // Somebody else came before.
            if (error.code === 'KUBERNETES_CONFLICT') return false
            assert.equal(error.code, 'KUBERNETES_INVALID', error.message)
            return true
          },
        )
      },
      PATIENCE_MS,
    )
    return taken
  }

  test(`${FULL ? 'all combinations' : 'each kind'} of its fields`, async (t) => {
    const rules = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] }]
    const KUBECONFIG = cluster.kubeconfigFor(await cluster.account('default', 'eventsource', rules), 'default')
    const fixture = await jetStreamFor(t)
    const { bus } = await fixture.open()
    const pods = await startPods(t, ['clock-a', 'clock-b'], {
      object: clock,
      bus: { jetstream: { url: fixture.urls[0]!, streamConfig: 'duplicates: 300s\nmaxmsgs: 500000\nreplicas: 1\n' } },
      env: { ...env, KUBECONFIG },
    })
    await allReady(pods, PATIENCE_MS)
    await anyLeader(pods, PATIENCE_MS)
    const crowds = pods.map(({ port, name }) =>
      startCrowd(t, `http://127.0.0.1:${port}/orders`, { senders: 1, pauseMs: 50, name }),
    )
    const isOurs = (holder: unknown) => pods.some(({ name }) => name === holder)
    const waits = async (pod: Pod) =>
      / holds the Lease .* taken at \S+Z unless renewed/.test((await pod.get('/readyz')).text)
    const newest = async () => (await bus.tail({ namespace: 'default', name: 'clock' }, 'tick', 1))[0]?.id
    const counts = { refused: 0, waited: 0, back: 0 }
    for (const row of FULL ? product() : representatives()) {
      const taken = await forge(row)
      assert.equal(taken, !names.some((name) => row[name].refused), wordsOf(row))
      if (!taken) {
        counts.refused++
        continue
      }
      let said = false
      await until(
        `one of ours holds it, or it is said who does: ${wordsOf(row)}`,
        async () => {
          if (
            isOurs((await leaseOf())?.spec.holderIdentity) &&
            (await Promise.all(pods.map((pod) => pod.leads()))).some(Boolean)
          )
            return true
          said = (await Promise.all(pods.map(waits))).every(Boolean)
          return said
        },
        PATIENCE_MS,
      )
      counts[said ? 'waited' : 'back']++
      // A second would be waited for; but who is taken the Lease from again and again waits longer, in the end for a quarter of a minute.
      if (said) await cluster.client.delete(resources.leases, place)
      await until(
        `one of ours leads after: ${wordsOf(row)}`,
        async () => isOurs((await leaseOf())?.spec.holderIdentity),
        PATIENCE_MS,
      )
      // Leads that are all too short to serve would miss more than a calendar makes up for.
      const before = await newest()
      await until(`it ticks on after: ${wordsOf(row)}`, async () => (await newest()) !== before, PATIENCE_MS)
    }
    await allReady(pods, PATIENCE_MS)
    await Promise.all(crowds.map((crowd) => crowd.stop()))
    const ticks = assertEveryTickOnce(await linesOf(bus, 'clock', 'tick'), often)
    const acknowledged = crowds.flatMap((crowd) => crowd.acknowledged)
    assertAcknowledgedOnce(await linesOf(bus, 'clock', 'order'), acknowledged)
    for (const pod of pods) assert.equal(pod.child.exitCode, null, pod.name)
    const lines = pods.flatMap((pod) => pod.log())
    const odd = lines.filter((line) => /TypeError|SyntaxError|RangeError|BUG|Cannot /.test(JSON.stringify(line)))
    assert.deepEqual(odd, [])
    assert.ok(counts.waited > 0 && counts.back > 0 && counts.refused > 0)
    const { refused: no, waited, back } = counts
    t.diagnostic(
      `${no} refused by the API server, ${waited} waited for and said, ${back} taken back; ${ticks} ticks, ${acknowledged.length} requests`,
    )
  })
})
