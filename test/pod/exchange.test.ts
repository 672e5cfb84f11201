/**
 * There and back, beside the elector of Argo Events' Pods (client-go's own) on one Lease of a real kube-apiserver: the row of ticks across exchanges.
 * Their worker is a stand-in that ticks as theirs does; see argo.ts.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { type Elector, type ElectorOptions, electorBinary, startElector } from '../servers/client-go.ts'
import { apiOnly, kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { type Kubernetes, startKubernetes } from '../servers/kubernetes.ts'
import { natsBinary } from '../servers/nats.ts'
import { argoCalendar, rowOf } from './argo.ts'
import { allReady, anyLeader, leaderOf, objectOf, startPods } from './pods.ts'

const skip =
  without('Kubernetes', kubernetesBinaries(apiOnly)) ||
  without('nats-server', natsBinary('newest')) ||
  without("client-go's elector", electorBinary())

const place = { namespace: 'default', name: 'eventsource-clock' }
const LEASES = [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] }]

suite("there and back, by a Lease that Argo Events' elector stands for too", { skip, timeout: 900_000 }, () => {
  let cluster: Kubernetes
  let kubeconfig: string
  before(async () => {
    cluster = await startKubernetes({ controllers: false })
    kubeconfig = cluster.kubeconfigFor(await cluster.account('default', 'eventsource', LEASES), 'default')
  })
  after(() => cluster?.stop())

  const times = FULL ? 6 : 1
  test(`${times} times: 2 + 1 on one Lease, leaders killed, forced and stopped: nothing doubled unless forced, nothing lost where ours follows`, async (t) => {
    const timing: ElectorOptions['timing'] = ['5s', '3s', '500ms']
    const fixture = await jetStreamFor(t)
    const { bus } = await fixture.open()
    const identity = 'argo-0'
    let elector: Elector | null = null
    const forcedMs: number[] = []
    const start = async () => {
      const one = await startElector({ kubeconfig, lease: place, identity, timing })
      t.after(() => one.kill())
      elector = one
      return one
    }
    const theirsLead = (one: Elector) => until('theirs leads', () => one.leads(), 30_000)
    await argoCalendar(t, fixture.urls[0]!, () => elector?.leads() === true)
    let one = await start()
    await theirsLead(one)
    const all = await startPods(t, ['clock-a', 'clock-b'], {
      object: () => objectOf('clock', { replicas: 2, calendar: { tick: { scheduleWithSeconds: '* * * * * *' } } }),
      bus: { jetstream: { url: fixture.urls[0]! } },
      env: {
        ...{ LEADER_ELECTION: 'k8s', KUBECONFIG: kubeconfig, LEADER_ELECTION_LEASE_DURATION: timing[0] },
        ...{ LEADER_ELECTION_RENEW_DEADLINE: timing[1], LEADER_ELECTION_RETRY_PERIOD: timing[2] },
      },
    })
    await allReady(all)
    const settled = () => pause(2_500)
    /** The Lease is given to theirs by hand. */
    const force = () =>
      until('forced', async () => {
        forcedMs.push(Date.now())
        const lease = (await cluster.client.get<KubeObject & { spec: object }>(resources.leases, place))!
        return cluster.client
          .update(resources.leases, { ...lease, spec: { ...lease.spec, holderIdentity: identity } })
          .then(
            () => true,
            () => false,
          )
      })
    const oursStopBy = async (signal: NodeJS.Signals) => {
      for (const pod of all) pod.child.kill(signal)
      await Promise.all(all.map((pod) => pod.exited()))
      await theirsLead(one)
      for (const pod of all) pod.restart()
      await allReady(all)
    }
    const lostBy: Record<string, number[]> = {}
    /** What theirs lose when they follow. */
    const follows = async (how: string, act: () => Promise<unknown>) => {
      const before = (await rowOf(bus)).lost.theirs.length
      await act()
      await theirsLead(one)
      await settled()
      lostBy[how] = [...(lostBy[how] ?? []), (await rowOf(bus)).lost.theirs.length - before]
    }
    await settled()
    for (let i = 0; i < times; i++) {
      await one.kill()
      const leading = await anyLeader(all, 30_000)
      one = await start()
      await settled()
      leading.child.kill('SIGKILL')
      await leading.exited()
      // Beside theirs a death is no reason to be faster than the Lease: either may follow.
      const others = all.filter((pod) => pod !== leading)
      await until('somebody follows', async () => one.leads() || (await leaderOf(others)) !== undefined, 30_000)
      if (one.leads()) {
        await settled()
        await one.stop()
        await anyLeader(others, 30_000)
        one = await start()
      }
      leading.restart()
      await allReady(all)
      await settled()
      await follows('forced', force)
      await one.stop()
      await anyLeader(all, 30_000)
      one = await start()
      await settled()
      await follows('SIGTERM', () => oursStopBy('SIGTERM'))
      if (FULL) {
        await one.stop()
        await anyLeader(all, 30_000)
        one = await start()
        await settled()
        await follows('kill -9', () => oursStopBy('SIGKILL'))
      }
    }
    await one.stop()
    await anyLeader(all, 30_000)
    await settled()
    const { ticks, doubled, lost, exchanges } = await rowOf(bus)
    const said = Object.entries(lostBy).map(([how, counts]) => `${how} ${counts.join(', ')}`)
    t.diagnostic(
      `${ticks} ticks, ${exchanges} exchanges; doubled ${doubled.length} when forced; lost where theirs follow ours: ${said.join('; ')}`,
    )
    assert.ok(exchanges >= 5 * times, `${exchanges} exchanges`)
    // Who is deposed by hand may be at work still when the other begins: nobody fences theirs.
    const unforced = doubled.filter((second) => forcedMs.every((ms) => Math.abs(second * 1_000 - ms) > 3_000))
    assert.deepEqual({ unforced, lost: lost.ours }, { unforced: [], lost: [] })
    assert.ok(doubled.length <= times, `${doubled}`)
    for (const [how, most] of [
      ['forced', 3],
      ['SIGTERM', 3],
      ['kill -9', 9],
    ] as const)
      assert.ok(Math.max(0, ...(lostBy[how] ?? [])) <= most, `${how}: ${lostBy[how]}`)
  })
})
