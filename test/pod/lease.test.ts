/** `vedette eventsource-service` that elects by a Kubernetes Lease, on a real kube-apiserver and a real nats-server. */

import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { microTime } from '../../src/ha/locks/kubernetes-lease.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { median } from '../faults/rig.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { type Elector, type ElectorOptions, electorBinary, startElector } from '../servers/client-go.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, type PolicyRule, startKubernetes } from '../servers/kubernetes.ts'
import { natsBinary } from '../servers/nats.ts'
import { allReady, anyLeader, killLeaders, lastLink, leaderOf, linesOf, objectOf, type Pod, startPods } from './pods.ts'

const skip = without('Kubernetes', kubernetesBinaries(apiOnly)) || without('nats-server', natsBinary('newest'))

/** What Argo Events' docs tell its users to grant. */
const LEASES: PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
]
const place = { namespace: 'default', name: 'eventsource-clock' }
const clock = () => objectOf('clock', { replicas: 3, calendar: { tick: { schedule: '', interval: '1000ms' } } })

const says = (pod: Pod, text: RegExp) => pod.log().some((line) => text.test(JSON.stringify(line)))
const lineOf = async (pod: Pod, metric: string) =>
  (await pod.get('/metrics')).text.match(new RegExp(`^${metric}\\{.*\\} (.*)$`, 'm'))?.[1]

suite('election by a Kubernetes Lease', { skip, timeout: 600_000 }, () => {
  let cluster: Kubernetes
  let kubeconfig: string
  before(async () => {
    cluster = await startKubernetes({ controllers: false })
    const token = await cluster.account('default', 'eventsource', LEASES)
    kubeconfig = cluster.kubeconfigFor(token, 'default')
  })
  after(() => cluster?.stop())

  /** Pods of the EventSource, once one of them leads; each test with a bus and a Lease of its own. */
  async function pods(t: TestContext, count: number, env: Record<string, string> = {}) {
    await cluster.client.delete(resources.leases, place)
    const fixture = await jetStreamFor(t)
    const { bus } = await fixture.open()
    const options = {
      object: clock,
      bus: { jetstream: { url: fixture.urls[0]! } },
      env: { LEADER_ELECTION: 'k8s', KUBECONFIG: kubeconfig, ...QUICK, ...env },
    }
    const all = await startPods(t, ['clock-a', 'clock-b', 'clock-c'].slice(0, count), options)
    const leader = () => leaderOf(all)
    await anyLeader(all, 30_000)
    return {
      all,
      leader: async () => (await leader()) as Pod,
      others: (one: Pod) => all.filter((pod) => pod !== one),
      ticks: async () => linesOf(bus, 'clock', 'tick'),
      /** Every tick so far is there, once. @returns how many */
      check: async () => assertEveryTickOnce(await linesOf(bus, 'clock', 'tick')),
      leads: (pod: Pod) => until(`${pod.name} leads`, () => pod.leads(), 20_000),
      anotherLeads: (gone: Pod) =>
        anyLeader(
          all.filter((pod) => pod !== gone),
          20_000,
        ),
      linked: (leading: Pod) =>
        until(
          'the standbys have found the leader',
          () => all.every((pod) => pod === leading || lastLink(pod) === leading.name),
          20_000,
        ),
    }
  }

  for (const [count, kills] of [
    [3, FULL ? 10 : 2],
    [2, FULL ? 10 : 2],
  ] as const) {
    test(`${count} Pods, ${kills} times kill -9 of the leader: known by the peer link, every tick on the bus once`, async (t) => {
      const { all, leader, linked, anotherLeads, check } = await pods(t, count)
      const gaps = await killLeaders(kills, { leader, linked, next: anotherLeads })
      await pause(1_500)
      const ticks = await check()
      t.diagnostic(
        `${ticks} ticks; kill to next leader: median ${median(gaps).toFixed(0)} ms, max ${Math.max(...gaps).toFixed(0)} ms`,
      )
      assert.ok(median(gaps) <= 1_000 && Math.max(...gaps) <= 5_000, gaps.join())
      const reasons = all.flatMap((pod) => pod.log().filter(({ msg, from }) => msg === 'leads' && from !== undefined))
      assert.deepEqual(
        reasons.map(({ reason }) => reason),
        Array(kills).fill('crash'),
      )
    })
  }

  test('SIGTERM: resigned over the link, the next one leads at once', async (t) => {
    const { leader, linked, anotherLeads, ticks, check } = await pods(t, 2)
    const leading = await leader()
    await linked(leading)
    await until('it ticks', async () => (await ticks()).length > 0)
    leading.child.kill('SIGTERM')
    assert.equal(await leading.exited(), 0)
    const at = performance.now()
    await anotherLeads(leading)
    t.diagnostic(`exit to next leader: ${(performance.now() - at).toFixed(0)} ms`)
    await check()
  })

  test('SIGSTOP: nobody is suspected, the Lease runs out; awake again it stands by in the same process', async (t) => {
    const { leader, others, linked, anotherLeads, check } = await pods(t, 3)
    const leading = await leader()
    await linked(leading)
    leading.child.kill('SIGSTOP')
    const at = performance.now()
    await anotherLeads(leading)
    const gapMs = performance.now() - at
    assert.ok(gapMs > 1_000, `not before the Lease has run out: ${gapMs} ms`)
    await until('the reason is said', () => others(leading).some((pod) => says(pod, /"reason":"frozen"/)))
    leading.child.kill('SIGCONT')
    await until('it stands by', async () => !(await leading.leads()))
    await pause(1_500)
    assert.equal(leading.child.exitCode, null)
    t.diagnostic(`frozen to next leader: ${gapMs.toFixed(0)} ms; ${await check()} ticks`)
  })

  test(`the API server is down for ${FULL ? 60 : 6} s: serving goes on, and nobody takes over when it is back`, async (t) => {
    const { all, leader, ticks, check } = await pods(t, 3)
    const leading = await leader()
    const term = await lineOf(leading, 'vedette_term')
    await cluster.killApiServer()
    await pause(FULL ? 60_000 : 6_000)
    const [last] = (await ticks()).slice(-1)
    assert.ok(Date.now() - Date.parse(last!.time) < 3_000, 'it goes on')
    assert.equal(await lineOf(leading, 'vedette_lock_usable'), '0')
    await cluster.startApiServer()
    await until('the lock is back', async () => (await lineOf(leading, 'vedette_lock_usable')) === '1', 20_000)
    await pause(5_000)
    assert.equal((await leader()).name, leading.name)
    for (const pod of all) assert.equal(await lineOf(pod, 'vedette_term'), term)
    await check()
  })

  test('the Lease is deleted: it is made again, and no tick is lost or doubled', async (t) => {
    const { leader, check } = await pods(t, 3)
    for (let i = 0; i < 3; i++) {
      assert.equal(await cluster.client.delete(resources.leases, place), true)
      await until(
        'there is one again',
        async () => (await leaseOf(cluster))?.spec.holderIdentity === (await leader())?.name,
      )
      await pause(500)
    }
    await check()
  })

  test('the Lease is stolen by a Pod of Argo Events: respected until it runs out, and fencing said to be lease-only', async (t) => {
    const { all, leader, check } = await pods(t, 2)
    const leading = await leader()
    const now = microTime(Date.now())
    await until('stolen', async () => {
      const lease = (await leaseOf(cluster))!
      const spec = {
        ...lease.spec,
        holderIdentity: 'argo-0',
        leaseDurationSeconds: 4,
        acquireTime: now,
        renewTime: now,
      }
      return cluster.client.update(resources.leases, { ...lease, spec }).then(
        () => true,
        () => false,
      )
    })
    const at = performance.now()
    await until('it gives way', async () => !(await leading.leads()))
    await until('it is said', async () => (await lineOf(leading, 'vedette_fencing_lease_only')) === '1')
    const waits =
      /^ready\nnot served: tick \(calendar\): argo-0 holds the Lease default\/eventsource-clock since \S+Z and is not of Vedette: a Pod of Argo Events, which then serves, or a stranger; last renewed at \S+Z, it is taken at \S+Z unless renewed$/m
    await until('of each Pod, too', async () =>
      (await Promise.all(all.map(async (pod) => (await pod.get('/readyz')).text))).every((text) => waits.test(text)),
    )
    await until('one of ours leads again', async () => (await leader()) !== undefined, 20_000)
    await until('no longer', async () => !/argo-0/.test((await (await leader()).get('/readyz')).text))
    assert.ok(performance.now() - at > 3_500, `not before it has run out: ${performance.now() - at} ms`)
    await until('whom it follows is said', () => all.some((pod) => says(pod, /"from":"argo-0"/)))
    await pause(1_500)
    await check()
  })

  test('beside the elector of Argo Events: never two lead, and each takes over when the other resigns or dies', {
    skip: without("client-go's elector", electorBinary()),
  }, async (t) => {
    // Longer than a busy machine keeps either from renewing.
    const timing: ElectorOptions['timing'] = ['5s', '3s', '500ms']
    const { all, leader, ticks, check } = await pods(t, 2, {
      LEADER_ELECTION_LEASE_DURATION: timing[0],
      LEADER_ELECTION_RENEW_DEADLINE: timing[1],
      LEADER_ELECTION_RETRY_PERIOD: timing[2],
    })
    const argo: Elector[] = []
    const startArgo = async () => {
      const one = await startElector({ kubeconfig, lease: place, identity: `argo-${argo.length}`, timing })
      t.after(() => one.kill())
      argo.push(one)
      return one
    }
    /** Ours go, and theirs leads; ours come back, and stand by. */
    const takesOver = async (one: Elector, signal: NodeJS.Signals) => {
      await pause(1_500)
      assert.equal(one.leads(), false)
      for (const pod of all) pod.child.kill(signal)
      await Promise.all(all.map((pod) => pod.exited()))
      await until('theirs leads', () => one.leads(), 20_000)
      for (const pod of all) pod.restart()
      await allReady(all)
      await pause(3_000)
      assert.equal(one.leads(), true)
      assert.equal(await leader(), undefined)
    }
    const oursLead = async () => {
      const from = performance.now()
      await until('ours leads', async () => (await leader()) !== undefined, 20_000)
      return performance.now() - from
    }
    let one = await startArgo()
    await takesOver(one, 'SIGKILL')
    await one.stop()
    const resignedMs = await oursLead()

    one = await startArgo()
    await takesOver(one, 'SIGTERM')
    await one.kill()
    const diedMs = await oursLead()
    await pause(1_500)
    t.diagnostic(`they resign to ours leading ${resignedMs.toFixed(0)} ms, they die ${diedMs.toFixed(0)} ms`)
    assert.ok(diedMs > 1_000, 'not before their Lease has run out')

    const theirs = argo.flatMap((each) => each.led())
    assert.equal(theirs.length, 2)
    const began = all.flatMap((pod) =>
      pod
        .log()
        .filter(({ msg }) => msg === 'leads')
        .map(({ ts }) => String(ts)),
    )
    assert.ok(began.length >= 3)
    const ours = [...began, ...(await ticks()).map(({ time }) => time)].map((time) => Date.parse(time))
    for (const { from, to } of theirs)
      assert.equal(
        ours.find((at) => at > from && at < to),
        undefined,
      )
    await check()
  })

  test('RBAC revoked and restored: the leader goes on, standbys stand by and name the Role, nobody ends', async (t) => {
    const { all, leader, others, linked, ticks, check } = await pods(t, 2)
    const leading = await leader()
    const [standby] = others(leading) as [Pod]
    await linked(leading)
    t.after(() => cluster.account('default', 'eventsource', LEASES))
    await cluster.account('default', 'eventsource', [])
    const missing =
      /Add to a Role of this ServiceAccount: apiGroups: \[\\?"coordination.k8s.io\\?"\], resources: \[\\?"leases\\?"\], verbs: \[\\?"(get|update)\\?"\]/
    await until('all say which Role', () => all.every((pod) => says(pod, missing)), 20_000)
    await pause(3_000)
    const [last] = (await ticks()).slice(-1)
    assert.ok(Date.now() - Date.parse(last!.time) < 3_000, 'it goes on')
    leading.child.kill('SIGKILL')
    await leading.exited()
    leading.restart()
    await until('one that starts says it too', async () => missing.test((await leading.get('/readyz')).text), 20_000)
    assert.equal(await standby.leads(), false)
    assert.equal(standby.child.exitCode, null)
    await cluster.account('default', 'eventsource', LEASES)
    await until('somebody leads', async () => (await leader()) !== undefined, 20_000)
    await pause(1_500)
    await check()
  })

  test('the Lease is what Argo Events would write, with one annotation', async (t) => {
    const { leader } = await pods(t, 2, {
      LEADER_ELECTION_LEASE_DURATION: '',
      LEADER_ELECTION_RENEW_DEADLINE: '',
      LEADER_ELECTION_RETRY_PERIOD: '',
    })
    const { spec, metadata } = (await leaseOf(cluster))!
    assert.equal(spec.holderIdentity, (await leader()).name)
    assert.equal(spec.leaseDurationSeconds, 5)
    assert.equal(spec.leaseTransitions, 0)
    for (const time of [spec.acquireTime, spec.renewTime])
      assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.deepEqual(Object.keys(spec).sort(), [
      'acquireTime',
      'holderIdentity',
      'leaseDurationSeconds',
      'leaseTransitions',
      'renewTime',
    ])
    assert.deepEqual(Object.keys(metadata.annotations ?? {}), ['vedette.dev/holder'])
  })
})

/** As short as these tests' patience. */
const QUICK = {
  LEADER_ELECTION_LEASE_DURATION: '2s',
  LEADER_ELECTION_RENEW_DEADLINE: '1s',
  LEADER_ELECTION_RETRY_PERIOD: '250ms',
}

type LeaseObject = KubeObject & { spec: Record<string, unknown> }

const leaseOf = (cluster: Kubernetes) => cluster.client.get<LeaseObject>(resources.leases, place)
