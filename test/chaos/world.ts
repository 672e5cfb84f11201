/** A run of the campaign: its bus, its origins, the `vedette run` between them, and what befell them. */
import { seeded } from '../../sim/random.ts'
import { type Clocks, makeClocks } from '../faults/clocks.ts'
import { type Listener, listenFrom } from '../faults/listener.ts'
import { ordersUrl } from '../faults/orders.ts'
import { type Rig, startRig, waitFor } from '../faults/rig.ts'
import { type Crowd, startCrowd } from '../faults/senders.ts'
import { smallDisk } from '../faults/small-disk.ts'
import type { ChaosBus } from './buses/bus.ts'
import { embeddedBus } from './buses/embedded.ts'
import { jetstreamBus } from './buses/jetstream.ts'
import { kafkaBus } from './buses/kafka.ts'
import { QUIET_MS } from './draw.ts'
import { lookout } from './lookout.ts'
import { type Edits, manifestOf } from './manifest.ts'
import type { Origin } from './origin.ts'
import { startOrigin } from './origins.ts'
import type { Plan, Who } from './plan.ts'
import type { Pool } from './pool.ts'
import type { Scope } from './scope.ts'
import type { Deaf, Span } from './spans.ts'
import { newTurns, type Turns } from './turns.ts'

export interface World {
  readonly plan: Plan
  readonly rig: Rig
  readonly bus: ChaosBus
  readonly origins: readonly Origin[]
  readonly crowd: Crowd
  readonly listener: Listener
  readonly clocks: Clocks | null
  /** A small disk with the data of the run. */
  readonly disk: string | null
  readonly deaf: Deaf[]
  readonly busAway: Span[]
  /** By origin. */
  readonly originAway: readonly Span[][]
  readonly turns: Turns
  /** Remembers what happened and when. */
  say(text: string): void
  readonly said: readonly string[]
  /** Resolves when all replicas are subscribed where standbys listen, too; never, if that does not come. */
  everybodyListens(): Promise<void>
  /** Who a fault means now; null: nobody is there. */
  pick(who: Who): Promise<{ index: number; pid: number } | null>
  /** Changes the manifest, and writes it. */
  edit(change: (now: Edits) => Partial<Edits>): void
}

export interface Parts {
  scope: Scope
  pool: Pool
  /** Of this run's own, for topics and queues. */
  name: string
}

/** By which a fault may be over later than was drawn. */
const LATE_MS = 1_500
/** Megabytes; a run stores a tenth of it. */
const DISK = 96

export async function startWorld(plan: Plan, { scope, pool, name }: Parts): Promise<World> {
  const random = seeded(plan.seed ?? 0)
  const said: string[] = []
  let beganMs = performance.now()
  const say = (text: string) => {
    said.push(`${((performance.now() - beganMs) / 1_000).toFixed(2)} s: ${text}`)
  }
  const origins: Origin[] = []
  for (const origin of plan.origins) {
    const started = await startOrigin({ scope, pool, random }, origin, `${name}-${origins.length}`)
    scope.after(() => started.close())
    origins.push(started)
  }
  const bus = await startBus(plan, { scope, pool, name })
  const clocks = plan.faults.some(({ kind }) => kind === 'set a clock') ? makeClocks(scope) : null
  const disk = plan.faults.some(({ kind }) => kind === 'fill the disk') ? smallDisk(scope, DISK) : null
  if (disk !== null && 'cannot' in disk) throw new Error(disk.cannot)
  let edits: Edits = {
    ...{ replicas: plan.replicas, extra: false, mistake: false },
    ...{ without: new Set(), edits: plan.origins.map(() => 0) },
  }
  let ports: number[] = []
  const text = () => manifestOf(plan, { ports, bus: bus.document, origins }, edits)
  const rig = await startRig(
    (free) => {
      ports = free
      return text()
    },
    {
      env: Object.assign({}, clocks?.env, ...origins.map(({ env }) => env)),
      ...(disk === null ? {} : { data: `${disk.path}/data` }),
    },
  )
  scope.after(() => rig.close())
  const listener = listenFrom(`${rig.api}/v1/events?from=start`)
  scope.after(() => listener.close())
  await everybodyThere(rig)
  const crowd = startCrowd(scope, ordersUrl(rig), { senders: 6, pauseMs: 40, attemptTimeoutMs: 15_000 })
  const world: World = {
    ...{ plan, rig, bus, origins, crowd, listener, clocks, say, said },
    disk: disk?.path ?? null,
    turns: newTurns(QUIET_MS - LATE_MS),
    deaf: [],
    busAway: [],
    originAway: plan.origins.map(() => []),
    everybodyListens: () => allListen(plan, origins),
    pick: (who) => picked(rig, who),
    edit(change) {
      edits = { ...edits, ...change(edits) }
      rig.write(text())
    },
  }
  bus.attach?.(world)
  await warmUp(world).catch(async (error: Error) => {
    const status = await rig.status().catch((failed: Error) => failed.message)
    throw new NotBegun(`${error.message}; status: ${JSON.stringify(status)}`, rig.log())
  })
  beganMs = performance.now()
  return world
}

function startBus({ bus }: Plan, { scope, pool, name }: Parts): Promise<ChaosBus> | ChaosBus {
  if (bus === 'embedded') return embeddedBus()
  if (bus === 'jetstream-1') return jetstreamBus(scope, 1)
  if (bus === 'jetstream-3') return jetstreamBus(scope, 3)
  return kafkaBus(scope, pool, bus === 'kafka-1' ? 1 : 3, name)
}

const START_MS = 90_000

/** All entries are served and say nothing of an error. */
async function everybodyThere(rig: Rig): Promise<void> {
  await waitFor(
    async () => {
      const { eventSources } = await rig.status()
      return eventSources.every(
        ({ entries, replicas }) =>
          replicas.every(({ state }) => state === 'serving' || state === 'standby') &&
          entries.every(({ strategy, leader, error }) => error === null && (strategy === 'active-active' || leader)),
      )
    },
    START_MS,
    100,
  )
}

const LISTEN_MS = 120_000
const LOOK_MS = 1_500

async function allListen({ replicas }: Plan, origins: readonly Origin[]): Promise<void> {
  const counts = origins.flatMap(({ broker, traits }) =>
    traits.guarantee === 'hot-standby' && broker?.listeners !== undefined ? [broker.listeners] : [],
  )
  const listen = async (count: () => Promise<number>) => (await count().catch(() => 0)) >= replicas
  const all = async () => (await Promise.all(counts.map(listen))).every(Boolean)
  await waitFor(all, LISTEN_MS, LOOK_MS).catch(() => new Promise(() => {}))
}

/** It has started, but not everything came to be served. */
export class NotBegun extends Error {
  readonly log: string
  constructor(message: string, log: string) {
    super(message)
    this.log = log
  }
}

/** Something of each origin is on the log, and where standbys listen, all do. */
async function warmUp({ origins, listener, plan }: World): Promise<void> {
  for (const origin of origins) origin.begin()
  await Promise.all(
    origins.map(async (origin, index) => {
      const { listeners } = origin.broker ?? {}
      const within = (what: string, arrived: () => Promise<boolean>) =>
        waitFor(arrived, START_MS, 200).catch(() => {
          throw new Error(`${origin.name}: ${what} within ${START_MS} ms; ${origin.told()}`)
        })
      if (listeners !== undefined && origin.traits.guarantee === 'hot-standby')
        await within('not every replica listens', async () => (await listeners()) >= plan.replicas)
      const isFresh = origin.fresh()
      const seen = lookout(listener.lines, (line) => isOf(line, index) && isFresh(line))
      await within('nothing on the log', async () => seen())
      origin.served()
    }),
  )
}

export const isOf = ({ subject }: { subject: string }, origin: number): boolean => subject.endsWith(`.numbers${origin}`)

async function picked(rig: Rig, who: Who): Promise<{ index: number; pid: number } | null> {
  const status = await rig.status().catch(() => null)
  const clock = status?.eventSources.find(({ name }) => name === 'clock')
  if (clock === undefined) return null
  const leader = clock.entries.find(({ name }) => name === 'beat0')?.leader ?? null
  const there = clock.replicas.filter(({ pid }) => pid !== null)
  const found =
    typeof who === 'number'
      ? there[who % Math.max(1, there.length)]
      : there.find(({ id }) => (id === leader) === (who === 'leader'))
  return found === undefined ? null : { index: Number(found.id.split('-').at(-1)), pid: found.pid! }
}
