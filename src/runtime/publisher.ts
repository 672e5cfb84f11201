/**
 * The way onto the bus for active-passive entries: group commit under a fence, one batch in flight. What is handed over while
 * a batch is in flight makes the next one, and that leaves only when the outcome of the one before is known; so the log never
 * has a hole below something stored. One publisher lives as long as its fence: the first `fenced` or `unknown` ends it.
 */
import { type Advance, type Append, type Bus, type Fenced, isAppend, type Outcome } from '../bus/bus.ts'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { within } from '../core/signals.ts'

export interface FencedPublisherOptions {
  bus: Pick<Bus, 'appendFenced'>
  fence: Fenced
  clock: Clock
  log: Logger
  /** Members per batch. */
  maxBatch?: number
  /** Bytes of events per batch; a single larger event still goes, alone. */
  maxBatchBytes?: number
  /** Bytes of events, and members, beyond which `ready` waits. */
  maxPendingBytes?: number
  maxPending?: number
  /** The bus refused the term. Called once; everything pending resolves as `fenced`. */
  onLost: (error: unknown) => void
  /** The outcome of a batch is unknown. Called once; nothing more is sent. */
  onUnknown: (error: unknown) => void
  /** The bus has taken nothing since this moment of `clock.monotonic`; called at each retry. */
  onFailing?: (sinceMs: number) => void
}

export interface FencedPublisher {
  /** Hands a member over; members land in the order of these calls. Never rejects. Never waits for room: see `ready`. */
  append(member: Append | Advance): Promise<Outcome>
  /** Resolves when there is room for one more member, first come first served; at once when closed. */
  ready(): Promise<void>
  /** Resolves when everything handed over has an outcome. */
  drain(): Promise<void>
  /** Sends nothing more: what is in flight resolves as `unknown`, the rest as `fenced`, with `error` as the reason. */
  close(error: unknown): void
  /** Members without an outcome. */
  readonly pending: number
}

interface Pending {
  member: Append | Advance
  bytes: number
  /** Several for advances that were merged. */
  resolve: ((outcome: Outcome) => void)[]
}

const RETRY = { firstMs: 10, maxMs: 500, jitter: 0 }
/** Beyond the time-outs of every bus. */
const ANSWER_LIMIT_MS = 30_000

export function createFencedPublisher({
  bus,
  fence,
  clock,
  log,
  maxBatch = 512,
  maxBatchBytes = 4 << 20,
  maxPendingBytes = 64 << 20,
  maxPending = 10_000,
  onLost,
  onUnknown,
  onFailing,
}: FencedPublisherOptions): FencedPublisher {
  let waiting: Pending[] = []
  let flying: Pending[] = []
  let bytes = 0
  let closed: VedetteError | null = null
  let scheduled = false
  let failingSince: number | null = null
  let attempt = 0
  let cancelRetry = () => {}
  /** The advance of each entry that a later one may still be merged into. */
  const open = new Map<string, Pending>()
  const roomWaiters: (() => void)[] = []
  const drainWaiters: (() => void)[] = []

  const full = () => bytes >= maxPendingBytes || waiting.length + flying.length >= maxPending
  const idle = () => waiting.length === 0 && flying.length === 0

  function settle({ resolve, bytes: size }: Pending, outcome: Outcome): void {
    bytes -= size
    for (const one of resolve) one(outcome)
  }

  /** Wakes one who waits for room; the append that this one makes wakes the next. */
  function wake(): void {
    if (closed !== null || idle()) {
      for (const waiter of roomWaiters.splice(0)) waiter()
    } else if (!full()) roomWaiters.shift()?.()
    if (idle()) for (const waiter of drainWaiters.splice(0)) waiter()
  }

  /** What is handed over in the same turn goes together; so does what the outcomes of a batch set off, with what already waited. */
  function schedule(): void {
    if (scheduled) return
    scheduled = true
    clock.soon(() => {
      scheduled = false
      if (closed === null && flying.length === 0 && failingSince === null) send()
    })
  }

  function nextBatch(): Pending[] {
    let size = 0
    let count = 0
    for (const { bytes: more } of waiting) {
      if (count === maxBatch || (count > 0 && size + more > maxBatchBytes)) break
      size += more
      count++
    }
    return waiting.splice(0, count)
  }

  function send(): void {
    flying = nextBatch()
    if (flying.length === 0) return
    open.clear()
    const batch = flying
    const members = batch.map(({ member }) => member)
    // The port says that it always answers, and never throws; if it does not, nothing is known.
    const appended = Promise.resolve().then(() => bus.appendFenced(fence, members))
    void within(appended, ANSWER_LIMIT_MS, clock)
      .catch((error: unknown): Outcome[] => {
        const unknown = fail('OUTCOME_UNKNOWN', `the bus failed: ${messageOf(error)}`, {}, { cause: error })
        return members.map(() => ({ outcome: 'unknown', error: unknown }))
      })
      .then((outcomes) => {
        if (closed === null) arrived(batch, outcomes)
      })
  }

  function arrived(batch: Pending[], outcomes: Outcome[]): void {
    flying = []
    for (const [i, pending] of batch.entries()) {
      const outcome = outcomes[i] ?? missing(batch.length, outcomes.length)
      if (outcome.outcome === 'unavailable') {
        // Certainly not stored, and neither may be what comes after it: all of it again, in order.
        waiting = [...batch.slice(i), ...waiting]
        retryLater(outcome.error)
        return
      }
      if (outcome.outcome === 'fenced' || outcome.outcome === 'unknown') {
        flying = batch.slice(i)
        end(outcome.error, outcome.outcome)
        if (outcome.outcome === 'fenced') onLost(outcome.error)
        else onUnknown(outcome.error)
        return
      }
      settle(pending, outcome)
    }
    if (failingSince !== null) log.info('the bus takes events again')
    failingSince = null
    attempt = 0
    if (waiting.length > 0) schedule()
    wake()
  }

  function retryLater(error: VedetteError): void {
    if (failingSince === null) {
      failingSince = clock.monotonic()
      log.warn('the bus takes no events; holding them', { error })
    }
    onFailing?.(failingSince)
    // Asked to close meanwhile?
    if (closed === null) cancelRetry = clock.after(backoffMs(attempt++, RETRY), send)
  }

  /** @param fate of what is in flight; what was never sent is certainly not stored */
  function end(error: VedetteError, fate: 'fenced' | 'unknown'): void {
    closed = error
    cancelRetry()
    const [sent, unsent] = [flying, waiting]
    flying = []
    waiting = []
    open.clear()
    for (const pending of sent) settle(pending, { outcome: fate, error })
    for (const pending of unsent) settle(pending, { outcome: 'fenced', error })
    wake()
  }

  return {
    append(member) {
      if (closed !== null) return Promise.resolve({ outcome: 'fenced', error: closed })
      return new Promise((resolve) => {
        const merged = isAppend(member) ? undefined : open.get(member.entry)
        if (merged !== undefined) {
          merged.member = member
          merged.resolve.push(resolve)
          return
        }
        const size = isAppend(member) ? member.event.byteLength : 0
        const pending: Pending = { member, bytes: size, resolve: [resolve] }
        waiting.push(pending)
        bytes += size
        if (isAppend(member)) open.delete(member.entry)
        else open.set(member.entry, pending)
        schedule()
        if (!full()) roomWaiters.shift()?.()
      })
    },
    ready() {
      if (closed !== null || (!full() && roomWaiters.length === 0)) return Promise.resolve()
      return new Promise((resolve) => roomWaiters.push(resolve))
    },
    drain() {
      if (idle()) return Promise.resolve()
      return new Promise((resolve) => drainWaiters.push(resolve))
    },
    close(error) {
      if (closed !== null) return
      end(isVedetteError(error) ? error : fail('NOT_LEADING', `publishing has ended: ${messageOf(error)}`), 'unknown')
    },
    get pending() {
      return [...waiting, ...flying].reduce((sum, { resolve }) => sum + resolve.length, 0)
    },
  }
}

function missing(sent: number, answered: number): Outcome {
  return { outcome: 'unknown', error: fail('OUTCOME_UNKNOWN', `the bus answered ${answered} of ${sent} members`) }
}
