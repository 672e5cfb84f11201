/** What a fault happens to: a NATS cluster (perhaps behind proxies) and a `vedette run` on it under load; and the judgement afterwards. */
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type NatsServer, type NatsServers, startNats } from '../servers/nats.ts'
import { startProxy } from '../servers/proxy.ts'
import { beats, endLoad, endsOf, type LoadOptions, startLoad } from './load.ts'
import type { Proxied } from './network.ts'
import { waitFor } from './rig.ts'
import { assertFenced, readStream, type StreamLog } from './stream-log.ts'
import type { Ticking } from './ticks.ts'
import { type Verdict, verdictOn } from './verdict.ts'

/** Its proxies: one per server, when there are any. */
export interface World extends Proxied {
  readonly nats: NatsServers
  /** Reaches the servers directly. */
  readonly nc: NatsConnection
  /** The server that leads the stream. */
  streamLeader(): Promise<NatsServer>
  /** Makes this server, by index, the one that leads the stream. */
  streamLeadBy(index: number): Promise<void>
  /** Resolves when each server has all that the stream and the buckets hold. */
  caughtUp(): Promise<void>
  /** Resolves as soon as the stream takes a message of a stock client. @returns when that was, by `performance.now` */
  busBack(): Promise<number>
}

export interface WorldOptions extends Omit<LoadOptions, 'kind' | 'documents'> {
  /** Puts a proxy before each server. */
  proxied?: boolean
  /** Further fields of `streamConfig`; it has 3 replicas. */
  stream?: Record<string, string | number>
  /** Further lines of the servers' configuration. */
  server?: string
  /** Further fields of `jetstreamExotic`. */
  bus?: string
  /** Further documents of the manifest. */
  documents?: string[]
  /** Before the run starts. */
  prepare?(nc: NatsConnection): Promise<void>
  /** Of the test's own connection. */
  login?: { user: string; pass: string }
}

export async function startWorld(t: TestContext, options: WorldOptions): Promise<World> {
  const { proxied = false, server = '', documents = [] } = options
  const ends = endsOf(t)
  const nats = await startNats({ nodes: 3, config: server, advertise: !proxied })
  ends.push(() => nats.close())
  const proxies = proxied ? await Promise.all(nats.servers.map(({ port }) => startProxy(port))) : []
  ends.push(() => Promise.all(proxies.map((proxy) => proxy.close())))
  const urls = proxied ? proxies.map(({ port }) => `nats://127.0.0.1:${port}`) : nats.urls
  const nc = await connect({ servers: nats.urls, maxReconnectAttempts: -1, reconnectTimeWait: 100, ...options.login })
  ends.push(() => nc.close())
  await options.prepare?.(nc)
  const load = await startLoad(t, ends, {
    ...options,
    kind: 'jetstream',
    documents: [busAt(urls, options), ...documents],
  })
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  const world: World = {
    ...load,
    nats,
    proxies,
    // The replica `clock-0` is in host 0.
    markOf: ({ id }) => `"name":"vedette host-${id.split('-').at(-1)}"`,
    nc,
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
  }
  // A standby trusts no connection younger than a second.
  await pause(1_100)
  return world
}

export const busAt = (urls: string[], { stream = {}, bus = '' }: Pick<WorldOptions, 'stream' | 'bus'>): string =>
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

/** Ends the run and judges the log: nothing lost, nothing doubled, nothing of an older term. */
export async function judge(world: World, entries = beats): Promise<Verdict> {
  await endLoad(world)
  return judgeLog(await readStream(world.nc), world.crowd.acknowledged, entries)
}

/** @param requests the beginning of the subjects that the senders' events have */
export const judgeLog = (
  log: StreamLog,
  acknowledged: readonly string[],
  entries: Ticking[],
  requests?: string,
): Verdict =>
  verdictOn(log.events, {
    ...{ entries, acknowledged, fenced: () => assertFenced(log) },
    ...(requests === undefined ? {} : { requests }),
  })
