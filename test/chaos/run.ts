/** One run: the world is started, its faults happen, all is healed, and the log is judged. */
import { setTimeout as pause } from 'node:timers/promises'
import { Ruined } from './acts/act.ts'
import { ACTS } from './acts/index.ts'
import { endRun } from './acts/run.ts'
import { judgeLog } from './judge.ts'
import { KINDS } from './kinds.ts'
import { namesOf, ticksOf } from './manifest.ts'
import type { OriginJudged } from './origin.ts'
import { type Fault, type Plan, shown } from './plan.ts'
import type { Pool } from './pool.ts'
import { largestOf } from './processes.ts'
import { newScope, type Scope } from './scope.ts'
import { everythingServed } from './served.ts'
import { isOf, NotBegun, startWorld, type World } from './world.ts'

/** What a run says. Plain JSON. */
export interface Outcome {
  plan: Plan
  /** Empty: all held. */
  violations: string[]
  /** The world could not be started, or the log not be read: nothing is judged. */
  broken?: string
  ticks: number
  /** Requests answered 200. */
  acknowledged: number
  /** Messages that had to be there. */
  messages: number
  /** Copies that a class allows. */
  copies: number
  terms: number
  longestPauseMs: number
  /** How long after healing each was served again, milliseconds. */
  backMs: Record<string, number>
  /** Of the largest process, MiB. */
  largestMb: number
  /** Until the load began, milliseconds. */
  startMs: number
  tookMs: number
  /** What happened when. */
  said: string[]
  /** The run's log, when something is wrong or was slow. */
  log?: string
}

const NOTHING = { ticks: 0, acknowledged: 0, messages: 0, copies: 0, terms: 0, longestPauseMs: 0, largestMb: 0 }
const SLOW_MS = 20_000
/** More memory than this is too much, MiB. */
const MOST_MB = 700

/** What is worth a look although it held. */
export const isSlow = ({ backMs }: Pick<Outcome, 'backMs'>): boolean => Math.max(0, ...Object.values(backMs)) > SLOW_MS

/** @param scope of this run alone: ended in any case */
export async function runPlan(
  plan: Plan,
  { pool, name, scope = newScope() }: { pool: Pool; name: string; scope?: Scope },
): Promise<Outcome> {
  const startedMs = performance.now()
  const outcome: Outcome = { plan, violations: [], ...NOTHING, backMs: {}, startMs: 0, tookMs: 0, said: [] }
  let world: World | null = null
  try {
    world = await startWorld(plan, { scope, pool, name })
    outcome.startMs = Math.round(performance.now() - startedMs)
    await underFaults(world, scope, outcome)
  } catch (error) {
    const text = (error as Error).stack ?? String(error)
    if (error instanceof NotBegun) outcome.log = error.log
    if (world === null) outcome.broken = text
    else outcome.violations.push(text)
  }
  if (world !== null) {
    outcome.said = [...world.said]
    if (outcome.violations.length > 0 || isSlow(outcome)) outcome.log = world.rig.log()
  }
  const left = await scope.end()
  if (left.length > 0) outcome.said.push(`could not be ended: ${left.join('; ')}`)
  outcome.tookMs = Math.round(performance.now() - startedMs)
  return outcome
}

async function underFaults(world: World, scope: Scope, outcome: Outcome): Promise<void> {
  const { plan, rig, say } = world
  const judgedFromMs = Date.now()
  const watch = setInterval(async () => {
    outcome.largestMb = Math.max(outcome.largestMb, await largestOf(rig).catch(() => 0))
  }, 3_000)
  scope.after(() => clearInterval(watch))
  const happened = await Promise.allSettled(plan.faults.map((fault) => happens(world, fault)))
  const lastEndMs = Math.max(0, ...plan.faults.map(({ atMs, lastsMs }) => atMs + lastsMs))
  await pause(Math.max(0, Math.min(plan.loadMs - lastEndMs, 2_000)))
  for (const one of happened) {
    if (one.status === 'fulfilled') continue
    const { message } = one.reason as Error
    if (one.reason instanceof Ruined) {
      outcome.broken = message
      return
    }
    outcome.violations.push(message.slice(0, 2_000))
  }
  say('all is healed')
  const served = await everythingServed(world)
  outcome.violations.push(...served.violations)
  outcome.backMs = served.backMs
  // Who is not served has not much to wait for.
  await settled(world, judgedFromMs, served.violations.length === 0 ? SETTLED_MS : UNSERVED_MS)
  clearInterval(watch)
  await endRun(world).catch((error: Error) => outcome.violations.push(error.message))
  outcome.violations.push(...crashes(rig.log()))
  if (outcome.largestMb > MOST_MB) outcome.violations.push(`a process took ${outcome.largestMb} MiB`)
  judge(world, judgedFromMs, await world.bus.read(), outcome)
}

async function happens(world: World, fault: Fault): Promise<void> {
  await pause(fault.atMs)
  try {
    await world.turns.take(KINDS[fault.kind]!.holds?.(fault) ?? null, async () => {
      world.say(`begins: ${shown(fault)}`)
      await ACTS[fault.kind]!(world, fault)
    })
  } catch (error) {
    world.say(`${fault.kind} failed: ${(error as Error).message.slice(0, 300)}`)
    throw error
  }
  if (fault.lastsMs > 0) world.say(`over: ${fault.kind}`)
}

/** What is held by those who died comes back late: an SQS message after half a minute, one of NSQ after a minute. */
const SETTLED_MS = 90_000
const UNSERVED_MS = 15_000
const CROWD_MS = 60_000

/** Stops the load, and waits for what is still to come. */
async function settled(world: World, judgedFromMs: number, patienceMs: number): Promise<void> {
  const { origins, crowd, listener, say } = world
  await Promise.race([crowd.stop(), pause(CROWD_MS, undefined, { ref: false })])
  await Promise.all(origins.map((origin) => origin.stop()))
  const deadline = performance.now() + patienceMs
  const missing = () =>
    origins.filter((origin, index) => {
      const lines = listener.lines.filter((line) => isOf(line, index))
      return origin
        .judge(lines, circumstances(world, index, judgedFromMs))
        .violations.some((text) => /lost|nothing told/.test(text))
    })
  while (missing().length > 0) {
    if (performance.now() > deadline) return say(`still missing: ${missing().map(({ name }) => name)}`)
    await pause(500)
  }
  // What would be doubled may come a little later.
  await pause(1_000)
}

const circumstances = ({ plan, deaf, busAway, originAway, bus, rig }: World, index: number, judgedFromMs: number) => ({
  ...{ judgedFromMs, replicas: plan.replicas, deaf, busAway, originAway: originAway[index]! },
  // Each change of leader leaves something unacknowledged, too.
  faults: plan.faults.length * 2 + changesIn(rig.log()),
  repeats: bus.repeats,
})

const changesIn = (log: string): number => log.split(' leads ').length - 1

function judge(world: World, judgedFromMs: number, log: Parameters<typeof judgeLog>[0], outcome: Outcome): void {
  const { plan, crowd, bus, origins } = world
  const judged = judgeLog(log, {
    ticks: ticksOf(plan),
    acknowledged: crowd.acknowledged,
    requests: `default.${namesOf(plan).orders}.order`,
    repeats: bus.repeats,
    origins: origins.map((origin, index) => (lines) => origin.judge(lines, circumstances(world, index, judgedFromMs))),
    isOf,
  })
  const { violations, origins: own, ...verdict } = judged
  const sum = (of: (one: OriginJudged) => number) => own.reduce((total, one) => total + of(one), 0)
  Object.assign(outcome, verdict, { messages: sum(({ promised }) => promised), copies: sum(({ copies }) => copies) })
  outcome.violations.push(...violations)
}

/** A process that ended because of a mistake of ours says so with its exit code. */
export function crashes(log: string): string[] {
  return log
    .split('\n')
    .filter((line) => /\bexit 70\b|code=70\b|SIGSEGV|SIGABRT|SIGBUS|Assertion failed|unhandled/i.test(line))
    .map((line) => `a process crashed: ${line}`)
}
