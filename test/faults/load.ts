/** A `vedette run` under load, whatever its bus: a calendar whose entries tick ten times a second, and a webhook with senders. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { orders, ordersUrl } from './orders.ts'
import { everyoneBack, type Leader, nextLeader, type Rig, startRig, waitFor } from './rig.ts'
import { type Crowd, startCrowd } from './senders.ts'
import { clockOf, type Ticking } from './ticks.ts'

/** Entries that tick at the same moments, so that their events travel in one atomic batch. */
export const beats: Ticking[] = Array.from({ length: 8 }, (_, i) => ({
  namespace: 'default',
  entry: `beat${i}`,
  everyMs: 100,
}))

export interface Load {
  readonly replicas: number
  readonly rig: Rig
  readonly crowd: Crowd
  /** Who serves the calendar; waits for it. */
  leader(): Promise<Leader>
}

export interface LoadOptions {
  replicas: number
  /** As status calls it. */
  kind: string
  /** The EventBus and what else the manifest needs before the EventSources. */
  documents: string[]
  args?: string[]
  /** The EventSource `clock`, when it is not to be the one with the {@link beats}. */
  clock?: string
  senders?: number
  senderPauseMs?: number
  attemptTimeoutMs?: number
}

/** Steps that end what was started: the last first, when the test ends. */
export function endsOf(t: Pick<TestContext, 'after'>): (() => unknown)[] {
  const ends: (() => unknown)[] = []
  t.after(async () => {
    for (const end of ends.reverse()) await end()
  })
  return ends
}

/** Runs it until the test ends; resolves when every replica serves or stands by. */
export async function startLoad(
  t: TestContext,
  ends: (() => unknown)[],
  { replicas, kind, documents, args = [], clock = clockOf(replicas, beats), ...sending }: LoadOptions,
): Promise<Load> {
  const { senders = 10, senderPauseMs = 50, attemptTimeoutMs = 15_000 } = sending
  const manifest = (ports: number[]) =>
    [...documents, clock, ...(senders === 0 ? [] : [orders(replicas)(ports)])].join('---\n')
  const rig = await startRig(manifest, { args })
  ends.push(() => rig.close())
  // For whoever wants to know why it failed.
  ends.push(() => t.passed || process.stderr.write(`${rig.log().split('\n').slice(-60).join('\n')}\n`))
  const { kind: found, fencing, connected } = (await rig.status()).bus
  assert.deepEqual({ kind: found, fencing, connected }, { kind, fencing: 'strict', connected: true })
  await nextLeader(rig, 'clock', null)
  await everyoneBack(rig)
  const crowd = startCrowd(t, ordersUrl(rig), { senders, pauseMs: senderPauseMs, attemptTimeoutMs })
  return { replicas, rig, crowd, leader: () => nextLeader(rig, 'clock', null, 30_000) }
}

/** Waits until events of the calendar and of the senders come again; what came before the call does not count. */
export async function goesOn({ rig, crowd }: Pick<Load, 'rig' | 'crowd'>, timeoutMs = 30_000): Promise<void> {
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

/** Sees that it works, and ends it. */
export async function endLoad(load: Pick<Load, 'rig' | 'crowd'>, timeoutMs?: number): Promise<void> {
  await goesOn(load, timeoutMs)
  await load.crowd.stop()
  assert.equal(await load.rig.stop(), 0, 'the run ends with 0')
}

/** Who leads, in words: the same after a fault that is none of the leader's. The term may be a newer one. */
export const leadOf = async (load: Pick<Load, 'leader'>): Promise<string> => (await load.leader()).id

/** The lead has not moved, not even there and back. */
export async function assertSameLead(load: Load, before: string): Promise<void> {
  assert.equal(await leadOf(load), before)
  assert.deepEqual((await load.rig.status()).failovers, [], 'the lead has moved')
}

/**
 * The lead may have moved (a machine too busy to renew in time, the leader's own server gone), but it does not flap.
 * @returns how often it has moved
 */
export async function assertSteadyLead({ rig }: Pick<Load, 'rig'>, atMost = 1): Promise<number> {
  const { failovers } = await rig.status()
  assert.ok(failovers.length <= atMost, `the lead flaps: ${JSON.stringify(failovers)}`)
  return failovers.length
}

/** Nobody but who was killed has ended: the processes are those that were there. */
export async function assertSameHosts({ rig }: Pick<Load, 'rig'>, before: number[]): Promise<void> {
  assert.deepEqual(new Set(await rig.hostPids()), new Set(before), 'a process has ended')
}
