/**
 * What a fault happens to: a NATS cluster (perhaps behind proxies), a `vedette run` on it with a calendar whose entries tick ten times a
 * second and a webhook with senders; and the judgement afterwards, which is the same whatever happened.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type NatsServer, type NatsServers, startNats } from '../servers/nats.ts'
import { startProxy, type TcpProxy } from '../servers/proxy.ts'
import { assertAcknowledgedOnce } from './checks.ts'
import { orders, ordersUrl } from './orders.ts'
import { everyoneBack, type Leader, nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { type Crowd, startCrowd } from './senders.ts'
import { assertFenced, longestPauseMs, readStream, type StreamLog } from './stream-log.ts'
import { assertEveryTickOnce, clockOf, type Ticking } from './ticks.ts'

/** Entries that tick at the same moments, so that their events travel in one atomic batch. */
export const beats: Ticking[] = Array.from({ length: 8 }, (_, i) => ({
  namespace: 'default',
  entry: `beat${i}`,
  everyMs: 100,
}))

export interface World {
  readonly replicas: number
  readonly nats: NatsServers
  /** One per server, when there are any: the run reaches NATS by these alone. */
  readonly proxies: TcpProxy[]
  /** Reaches the servers directly. */
  readonly nc: NatsConnection
  readonly rig: Rig
  readonly crowd: Crowd
  /** The server that leads the stream. */
  streamLeader(): Promise<NatsServer>
  /** Makes this server, by index, the one that leads the stream. */
  streamLeadBy(index: number): Promise<void>
  /** Resolves when each server has all that the stream and the buckets hold. */
  caughtUp(): Promise<void>
  /** Resolves as soon as the stream takes a message of a stock client. @returns when that was, by `performance.now` */
  busBack(): Promise<number>
  /** Who serves the calendar; waits for it. */
  leader(): Promise<Leader>
}

export interface WorldOptions {
  replicas: number
  /** Puts a proxy before each server. */
  proxied?: boolean
  senders?: number
  senderPauseMs?: number
  attemptTimeoutMs?: number
  /** Further fields of `streamConfig`; it has 3 replicas. */
  stream?: Record<string, string | number>
  /** Further lines of the servers' configuration. */
  server?: string
  /** Further fields of `jetstreamExotic`. */
  bus?: string
  /** Further documents of the manifest. */
  documents?: string[]
  args?: string[]
  /** The EventSource `clock`, when it is not to be the one with the {@link beats}. */
  clock?: string
  /** Before the run starts. */
  prepare?(nc: NatsConnection): Promise<void>
  /** Of the test's own connection. */
  login?: { user: string; pass: string }
}

/** Whose connection it is, for a proxy; the replica `clock-0` is in host 0. */
export const markOf = ({ id }: { id: string }): string => `"name":"vedette host-${id.split('-').at(-1)}"`

export async function startWorld(t: TestContext, options: WorldOptions): Promise<World> {
  const { replicas, proxied = false, server = '', documents = [] } = options
  /** What was started last ends first. */
  const ends: (() => unknown)[] = []
  t.after(async () => {
    for (const end of ends.reverse()) await end()
  })
  const nats = await startNats({ nodes: 3, config: server, advertise: !proxied })
  ends.push(() => nats.close())
  const proxies = proxied ? await Promise.all(nats.servers.map(({ port }) => startProxy(port))) : []
  ends.push(() => Promise.all(proxies.map((proxy) => proxy.close())))
  const urls = proxied ? proxies.map(({ port }) => `nats://127.0.0.1:${port}`) : nats.urls
  const nc = await connect({ servers: nats.urls, maxReconnectAttempts: -1, reconnectTimeWait: 100, ...options.login })
  ends.push(() => nc.close())
  await options.prepare?.(nc)
  const manifest = (ports: number[]) =>
    [
      busAt(urls, options),
      ...documents,
      options.clock ?? clockOf(replicas, beats),
      ...(options.senders === 0 ? [] : [orders(replicas)(ports)]),
    ].join('---\n')
  const rig = await startRig(manifest, { args: options.args ?? [] })
  ends.push(() => rig.close())
  // For whoever wants to know why it failed.
  ends.push(() => t.passed || process.stderr.write(`${rig.log().split('\n').slice(-60).join('\n')}\n`))
  const { kind, fencing, connected } = (await rig.status()).bus
  assert.deepEqual({ kind, fencing, connected }, { kind: 'jetstream', fencing: 'strict', connected: true })
  await nextLeader(rig, 'clock', null)
  await everyoneBack(rig)
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const crowd = startCrowd(t, ordersUrl(rig), {
    senders: options.senders ?? 10,
    pauseMs: options.senderPauseMs ?? 50,
    attemptTimeoutMs: options.attemptTimeoutMs ?? 15_000,
  })
  const world: World = {
    replicas,
    nats,
    proxies,
    nc,
    rig,
    crowd,
    async streamLeader() {
      let leader: NatsServer | undefined
      await waitFor(async () => {
        const info = await jsm.streams.info('default').catch(() => null)
        leader = nats.servers.find(({ index }) => info?.cluster?.leader === `n${index}`)
        return leader !== undefined
      }, 30_000)
      return leader!
    },
    async streamLeadBy(index) {
      await waitFor(
        async () => {
          if ((await world.streamLeader()).index === index) return true
          // `placement.preferred`: the server that is to lead next (nats-server 2.11 and newer).
          const wish = JSON.stringify({ placement: { preferred: `n${index}` } })
          await nc.request('$JS.API.STREAM.LEADER.STEPDOWN.default', wish, { timeout: 2_000 }).catch(() => null)
          return false
        },
        30_000,
        200,
      )
    },
    async caughtUp() {
      await waitFor(
        async () => {
          for (const name of ['default', 'KV_vedette', 'KV_vedette-leases']) {
            const cluster = (await jsm.streams.info(name).catch(() => null))?.cluster
            const followers = cluster?.replicas ?? []
            if (!cluster?.leader || followers.length !== 2) return false
            if (!followers.every(({ current, offline }) => current && !offline)) return false
          }
          return true
        },
        60_000,
        100,
      )
    },
    async busBack() {
      await waitFor(async () => {
        const ack = await nc.request('default.probe.p', '{}', { timeout: 500 }).catch(() => null)
        return ack !== null && ack.json<{ seq?: number }>().seq !== undefined
      }, 60_000)
      return performance.now()
    },
    leader: () => nextLeader(rig, 'clock', null, 30_000),
  }
  // A standby trusts no connection younger than a second.
  await pause(1_100)
  return world
}

const busAt = (urls: string[], { stream = {}, bus = '' }: WorldOptions): string =>
  `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstreamExotic:
    url: ${urls.join(',')}
${bus}    streamConfig: |
${Object.entries({ replicas: 3, ...stream })
  .map(([key, value]) => `      ${key}: ${value}\n`)
  .join('')}`

/** Waits until events of the calendar and of the senders come again; what came before the call does not count. */
export async function goesOn({ rig, crowd }: Pick<World, 'rig' | 'crowd'>, timeoutMs = 30_000): Promise<void> {
  const published = async () => {
    const clock = (await rig.status()).eventSources.find(({ name }) => name === 'clock')
    return clock?.entries.reduce((sum, entry) => sum + entry.published, 0) ?? 0
  }
  let before = await published()
  await waitFor(
    async () => {
      const now = await published()
      const more = now > before
      // A new leader counts from nothing.
      before = Math.min(before, now)
      return more
    },
    timeoutMs,
    50,
  )
  // Senders may be told to stop, but then there were some.
  const acknowledged = crowd.acknowledged.length
  if (crowd.statuses.size === 0) return
  const answers = new Map(crowd.statuses)
  try {
    await waitFor(async () => crowd.acknowledged.length > acknowledged, timeoutMs, 20)
  } catch {
    const since = [...crowd.statuses].map(([status, count]) => `${status}: ${count - (answers.get(status) ?? 0)}`)
    throw new Error(`no sender was answered 200 within ${timeoutMs} ms; answers: ${since.join(', ')}`)
  }
}

/** What the log says after the fault. */
export interface Verdict {
  /** Events of the calendar, each entry's an unbroken row. */
  ticks: number
  /** Requests answered 200, each on the log once. */
  acknowledged: number
  /** Terms that wrote. */
  terms: number
  /** The longest time in which no event of the calendar was stored. */
  longestPauseMs: number
}

/** Ends the run and judges the log: nothing lost, nothing doubled, nothing of an older term. */
export async function judge(world: World, entries = beats): Promise<Verdict> {
  await goesOn(world)
  await world.crowd.stop()
  assert.equal(await world.rig.stop(), 0, 'the run ends with 0')
  return judgeLog(await readStream(world.nc), world.crowd.acknowledged, entries)
}

/** @param requests the beginning of the subjects that the senders' events have */
export function judgeLog(
  log: StreamLog,
  acknowledged: readonly string[],
  entries: Ticking[],
  requests = 'default.orders.',
): Verdict {
  const of = (prefix: string) => log.events.filter(({ subject }) => subject.startsWith(prefix))
  const clock = of('default.clock.beat')
  let ticks = 0
  for (const entry of entries) {
    const own = clock.filter(
      ({ subject, namespace }) => subject === `default.clock.${entry.entry}` && namespace === entry.namespace,
    )
    ticks += assertEveryTickOnce(own, entry)
  }
  assertAcknowledgedOnce(of(requests), acknowledged)
  return {
    ticks,
    acknowledged: acknowledged.length,
    terms: assertFenced(log),
    longestPauseMs: longestPauseMs(clock),
  }
}

/** Who leads, in words: the same after a fault that is none of the leader's. The term may be a newer one. */
export const leadOf = async (world: World): Promise<string> => (await world.leader()).id

/** The lead has not moved, not even there and back. */
export async function assertSameLead(world: World, before: string): Promise<void> {
  assert.equal(await leadOf(world), before)
  assert.deepEqual((await world.rig.status()).failovers, [], 'the lead has moved')
}

/**
 * The lead may have moved (a machine too busy to renew in time, the leader's own NATS server gone), but it does not flap.
 * @returns how often it has moved
 */
export async function assertSteadyLead({ rig }: World, atMost = 1): Promise<number> {
  const { failovers } = await rig.status()
  assert.ok(failovers.length <= atMost, `the lead flaps: ${JSON.stringify(failovers)}`)
  return failovers.length
}

/** Nobody but who was killed has ended: the processes are those that were there. */
export async function assertSameHosts({ rig }: World, before: number[]): Promise<void> {
  assert.deepEqual(new Set(await rig.hostPids()), new Set(before), 'a process has ended')
}
