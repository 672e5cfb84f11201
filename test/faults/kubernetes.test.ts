/** On Kubernetes, with real Pods on two nodes: what happens to Pods, their processes, the API server, the Lease, rights, revisions and nodes. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../src/core/errors.ts'
import { resources } from '../../src/kube/resources.ts'
import { until } from '../contract/bus.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { withoutNodes } from '../servers/kubernetes/build.ts'
import { natsBinary } from '../servers/nats.ts'
import type { PodSeen } from './pods-seen.ts'
import {
  type Cluster,
  IMAGES,
  judgePods,
  LEASE,
  type PodLeader,
  type PodsWorld,
  startCluster,
  startPodsWorld,
} from './pods-world.ts'
import { faultTable, type Scenario } from './table.ts'

const skip = withoutNodes() || without('nats-server', natsBinary('newest'))
let cluster: Cluster
let rows = 0

// A cluster with nodes takes minutes: all of this only in full runs.
if (FULL && skip === false) {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-images-'))
  before(
    async () => {
      cluster = await startCluster(dir)
    },
    { timeout: 240_000 },
  )
  after(async () => {
    await cluster?.stop()
    rmSync(dir, { recursive: true, force: true })
  })
}
const register = FULL ? test : () => {}

type Start = (replicas: number) => Promise<PodsWorld>

/** A row whose world is a namespace of the cluster. */
const row = (
  fault: string,
  replicas: number[],
  happen: (start: Start, replicas: number) => Promise<{ world: PodsWorld; note?: string }>,
): Scenario => ({
  fault,
  replicas,
  async run(t, count) {
    const start = (replicas: number) => startPodsWorld(t, cluster, `row-${++rows}`, { replicas })
    const { world, note } = await happen(start, count)
    return { ...(await judgePods(world)), ...(note === undefined ? {} : { note }) }
  },
})

/** Makes the lead change by what is done to its Pod, twice. @returns how long it took to the next term's first event */
async function changeLeader(world: PodsWorld, replicas: number, change: (leader: PodSeen) => unknown): Promise<string> {
  const gaps: number[] = []
  for (let i = 0; i < 2; i++) {
    if (i > 0) await pause(1_100)
    const leader = await world.leader()
    const atMs = performance.now()
    await change(leader)
    gaps.push((await world.firstAfter(leader.term)) - atMs)
    await world.settled(replicas)
  }
  return `the next leader's first event after ${gaps.map((ms) => ms.toFixed(0)).join(' and ')} ms`
}

/** Nothing but 200 is answered while this happens, and no connection fails. */
async function allAnswered(world: PodsWorld, happen: () => Promise<unknown>): Promise<void> {
  const { statuses, failures } = world.crowd
  const others = () => [...statuses].filter(([status]) => status !== 200)
  const before = others()
  await happen()
  await world.goesOn()
  assert.deepEqual(others(), before, `not answered 200: ${JSON.stringify([...failures])}`)
}

/** The lead has not moved, and no new term was begun. */
async function assertSameTerm(world: PodsWorld, before: PodLeader): Promise<void> {
  const { name, term } = await world.leader()
  assert.deepEqual({ name, term }, { name: before.name, term: before.term })
}

async function leaseIsRenewed(world: PodsWorld): Promise<void> {
  const renewedMs = async () => Date.parse((await world.lease().catch(() => null))?.spec.renewTime ?? '')
  await until('the Lease is renewed again', async () => Date.now() - (await renewedMs()) < 3_000, 60_000)
}

/** What comes from now on is stored at once. */
const servesNow = (world: PodsWorld) => world.goesOn(5_000)

const ofProcesses: Scenario[] = [
  row('kill -9 of the process in the serving Pod', [3, 2], async (start, replicas) => {
    const world = await start(replicas)
    return { world, note: await changeLeader(world, replicas, (leader) => world.signal(leader, 'SIGKILL')) }
  }),
  row(
    'rolling update to another spec, every Pod replaced: no answer other than 200',
    [2, 3],
    async (start, replicas) => {
      const world = await start(replicas)
      const old = world.pods()
      await allAnswered(world, () => replacedBy(world, replicas, old, () => world.kubectl(...moreOfSpec)))
      return { world }
    },
  ),
]

const moreOfSpec = [
  ...['patch', 'eventsource', 'clock', '--type=merge', '-p'],
  JSON.stringify({ spec: { calendar: { other: { interval: '24h' } } } }),
]

/** Every Pod is another one than before. */
async function replacedBy(
  world: PodsWorld,
  replicas: number,
  old: PodSeen[],
  change: () => Promise<unknown>,
): Promise<void> {
  await change()
  const uids = new Set(old.map(({ uid }) => uid))
  await until('every Pod is a new one', () => !world.pods().some(({ uid }) => uids.has(uid)), 120_000)
  await world.settled(replicas)
}

const ofPods: Scenario[] = [
  row('the serving Pod deleted, with grace', [3, 2], async (start, replicas) => {
    const world = await start(replicas)
    let note = ''
    await allAnswered(world, async () => {
      note = await changeLeader(world, replicas, ({ name }) => world.kubectl('delete', 'pod', name, '--wait=false'))
    })
    return { world, note }
  }),
  row('the serving Pod deleted by force', [3, 2], async (start, replicas) => {
    const world = await start(replicas)
    const note = await changeLeader(world, replicas, (leader) => {
      world.mayDie(leader)
      return world.kubectl('delete', 'pod', leader.name, '--force', '--grace-period=0')
    })
    return { world, note }
  }),
  row('SIGSTOP of the process in the serving Pod for 20 s', [3, 2], async (start, replicas) => {
    const world = await start(replicas)
    const frozen = await world.leader()
    const atMs = performance.now()
    world.signal(frozen, 'SIGSTOP')
    const tookMs = (await world.firstAfter(frozen.term)) - atMs
    await pause(20_000 - (performance.now() - atMs))
    world.signal(frozen, 'SIGCONT')
    await world.settled(replicas)
    const { uid } = await world.leader()
    assert.notEqual(uid, frozen.uid, 'the one that was frozen stands by')
    return { world, note: `another served after ${tookMs.toFixed(0)} ms` }
  }),
  row('the Lease deleted, three times', [3], async (start, replicas) => {
    const world = await start(replicas)
    for (let i = 0; i < 3; i++) {
      await world.kubectl('delete', 'lease', LEASE)
      await until('there is one again', async () => (await world.lease())?.spec.holderIdentity !== undefined, 20_000)
      await servesNow(world)
    }
    return { world }
  }),
  row('the Lease taken by somebody else, who never renews it', [3], async (start, replicas) => {
    const world = await start(replicas)
    const leader = await world.leader()
    const now = new Date().toISOString().replace('Z', '000Z')
    const spec = { holderIdentity: 'stranger-0', leaseDurationSeconds: 5, acquireTime: now, renewTime: now }
    const atMs = performance.now()
    await world.kubectl('patch', 'lease', LEASE, '--type=merge', '-p', JSON.stringify({ spec }))
    const tookMs = (await world.firstAfter(leader.term)) - atMs
    assert.ok(tookMs > 4_000, `the stranger was not waited for: ${tookMs} ms`)
    return { world, note: `one of ours served again after ${tookMs.toFixed(0)} ms` }
  }),
  row('the right to the Lease taken away for 15 s, and given back', [3], async (start, replicas) => {
    const world = await start(replicas)
    const leader = await world.leader()
    const role = await world.kubectl('get', 'role', 'clock-eventsource-lease', '-o', 'json')
    const { rules } = JSON.parse(role) as { rules: unknown }
    const setRules = (value: unknown) =>
      world.kubectl('patch', 'role', 'clock-eventsource-lease', '--type=merge', '-p', JSON.stringify({ rules: value }))
    await setRules([])
    const missing = /Add to a Role of this ServiceAccount: .*leases/
    await until(
      'the leader says which right',
      async () => missing.test(await world.kubectl('logs', leader.name)),
      20_000,
    )
    await pause(15_000)
    await servesNow(world)
    await assertSameTerm(world, leader)
    await setRules(rules)
    await leaseIsRenewed(world)
    await assertSameTerm(world, leader)
    return { world }
  }),
  row(
    'rolling update of Vedette itself, controller and Pods: no answer other than 200',
    [3],
    async (start, replicas) => {
      const world = await start(replicas)
      const old = world.pods()
      await allAnswered(world, () => replacedBy(world, replicas, old, () => cluster.install(IMAGES[1])))
      const images = await world.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.containers[*].image}')
      assert.deepEqual(new Set(images.split(' ')), new Set([IMAGES[1]]))
      return { world }
    },
  ),
  row('scaled 1, 3, 2, 0, 1', [1], async (start, replicas) => {
    const world = await start(replicas)
    for (const count of [3, 2, 0, 1]) {
      await world.kubectl('scale', 'eventsource', 'clock', `--replicas=${count}`)
      await world.settled(count)
      if (count > 0) await world.goesOn()
      await pause(1_100)
    }
    return { world }
  }),
  row('the node of the serving Pod cordoned and drained', [3, 2], async (start, replicas) => {
    const world = await start(replicas)
    const { node } = await world.leader()
    try {
      await cluster.kubectl('drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=120s')
      await world.settled(replicas)
      assert.ok(world.pods().every((pod) => pod.node !== node))
      return { world }
    } finally {
      await cluster.kubectl('uncordon', node)
    }
  }),
  row(
    '`kubectl scale` of the Deployment to 1, behind the back of the EventSource: undone',
    [3],
    async (start, replicas) => {
      const world = await start(replicas)
      const before = world.pods().map(({ uid }) => uid)
      await world.kubectl('scale', 'deployment', 'clock-eventsource', '--replicas=1')
      await until('a Pod has gone', () => before.some((uid) => world.pods().every((pod) => pod.uid !== uid)), 30_000)
      await world.settled(replicas)
      return { world }
    },
  ),
  // Last, since the cluster itself takes a minute afterwards until its nodes count as ready and Pods are made again.
  row('the API server down for 60 s: serving goes on, the lead stays', [3, 2], async (start, replicas) => {
    const world = await start(replicas)
    const leader = await world.leader()
    await cluster.killApiServer()
    await allAnswered(world, async () => {
      for (let i = 0; i < 12; i++) {
        await pause(5_000)
        await servesNow(world)
      }
    })
    await cluster.startApiServer()
    await leaseIsRenewed(world)
    await world.settled(replicas)
    await assertSameTerm(world, leader)
    return { world }
  }),
]

if (FULL) faultTable({ section: 'Kubernetes', group: 'Pods' }, [...ofProcesses, ...ofPods], skip)

register(
  'an EventSource that is invalid is refused by the admission webhook, which the API server reaches by its Service',
  {
    skip,
    timeout: 120_000,
  },
  async (t) => {
    const namespace = await cluster.namespace('admission')
    t.after(() => cluster.kubectl('delete', 'namespace', namespace, '--wait=false'))
    const object = {
      ...{ apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource', metadata: { name: 'wrong', namespace } },
      spec: { calendar: { tick: {} } },
    }
    // Where the webhook cannot be asked, objects get in unchecked.
    const refused = async () => {
      try {
        await cluster.client.create(resources.eventsources, object)
      } catch (error) {
        return messageOf(error)
      }
      await cluster.client.delete(resources.eventsources, object.metadata)
      return ''
    }
    let why = ''
    await until(
      'it is refused',
      async () => {
        why = await refused()
        return why !== ''
      },
      60_000,
    )
    assert.match(
      why,
      /denied the request: invalid EventSource: spec\.calendar\.tick: must have either schedule or interval/,
    )
  },
)
