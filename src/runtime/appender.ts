/**
 * The way onto the bus for active-active entries: no fence, so batches may overlap; an unknown outcome is settled by
 * repeating the same id, which the bus stores once.
 */
import type { Append, Bus, Outcome, SourceRef } from '../bus/bus.ts'
import { outcomeOfError } from '../bus/outcome.ts'
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'

const unanswered: Outcome = {
  outcome: 'unknown',
  error: fail('OUTCOME_UNKNOWN', 'the bus answered for too few members'),
}

interface Waiting {
  member: Append
  bytes: number
  since: number
  /** True once an attempt ended unknown: from then on only a repeat can tell. */
  unsure: boolean
  /** The sender has been told to retry; what it holds counts until the bus has let go of it. */
  givenUp: boolean
  resolve: (outcome: Outcome) => void
}

export interface Appender {
  /** Never rejects. Answers `unavailable` with BUS_BUSY at once when too much is in flight, and `unknown` when the bus is silent for `settleMs`. */
  append(member: Append): Promise<Outcome>
  /** Resolves when nothing is in flight. */
  drain(): Promise<void>
  readonly pending: number
}

export function createAppender({
  bus,
  source,
  clock,
  maxBatch = 256,
  maxPending = 10_000,
  maxPendingBytes = 64 * 2 ** 20,
  settleMs = 8_000,
  retryMs = 50,
}: {
  bus: Bus
  source: SourceRef
  clock: Clock
  maxBatch?: number
  maxPending?: number
  maxPendingBytes?: number
  /** How long an outcome is waited for, and an unknown one chased, before the sender is told to retry. Below common senders' time-outs (10 s). */
  settleMs?: number
  retryMs?: number
}): Appender {
  const queue: Waiting[] = []
  const drained: (() => void)[] = []
  let pending = 0
  let pendingBytes = 0
  let scheduled = false

  const settle = (waiting: Waiting, outcome: Outcome) => {
    pending--
    pendingBytes -= waiting.bytes
    waiting.resolve(outcome)
    if (pending === 0) for (const done of drained.splice(0)) done()
  }

  /** @returns true when only a repeat can tell */
  const judge = (waiting: Waiting, outcome: Outcome): boolean => {
    const unclear = outcome.outcome === 'unknown' || (outcome.outcome === 'unavailable' && waiting.unsure)
    if (unclear && !waiting.givenUp) {
      waiting.unsure = true
      if (clock.monotonic() - waiting.since < settleMs) return true
      const error = 'error' in outcome ? outcome.error : fail('OUTCOME_UNKNOWN', 'the bus did not answer')
      settle(waiting, { outcome: 'unknown', error })
    } else settle(waiting, outcome)
    return false
  }

  /** Gives up each whose time is over. @returns the function that ends this, when the bus has answered */
  const watch = (batch: Waiting[]): (() => void) => {
    let cancel = () => {}
    const look = () => {
      const now = clock.monotonic()
      let oldest = Number.POSITIVE_INFINITY
      for (const waiting of batch) {
        if (waiting.givenUp) continue
        if (now - waiting.since < settleMs) {
          oldest = Math.min(oldest, waiting.since)
          continue
        }
        waiting.givenUp = true
        const error = fail('OUTCOME_UNKNOWN', `the bus did not answer within ${Math.round(settleMs / 1000)} s`)
        waiting.resolve({ outcome: 'unknown', error })
      }
      if (oldest !== Number.POSITIVE_INFINITY) cancel = clock.after(oldest + settleMs - now, look)
    }
    look()
    return () => cancel()
  }

  const flush = () => {
    scheduled = false
    while (queue.length > 0) {
      const batch = queue.splice(0, maxBatch)
      const members = batch.map((waiting) => waiting.member)
      const answered = watch(batch)
      // The port says that it never throws; if it does, nothing is known.
      const appended = bus.append(source, members).catch((error: unknown) => members.map(() => outcomeOfError(error)))
      void appended.then((outcomes) => {
        answered()
        const again = batch.filter((waiting, i) => judge(waiting, outcomes[i] ?? unanswered))
        if (again.length > 0) clock.after(retryMs, () => enqueue(again))
      })
    }
  }

  /** One turn of the event loop gathers what comes together into one batch. */
  const enqueue = (some: Waiting[]) => {
    queue.push(...some)
    if (scheduled) return
    scheduled = true
    clock.soon(flush)
  }

  return {
    append(member) {
      const bytes = member.event.byteLength
      if (pending >= maxPending || pendingBytes + bytes > maxPendingBytes) {
        const error = fail('BUS_BUSY', `${pending} events wait for the bus already; retry in a moment`)
        return Promise.resolve({ outcome: 'unavailable', error })
      }
      pending++
      pendingBytes += bytes
      return new Promise((resolve) => {
        enqueue([{ member, bytes, since: clock.monotonic(), unsure: false, givenUp: false, resolve }])
      })
    },
    drain: () => (pending === 0 ? Promise.resolve() : new Promise((done) => drained.push(done))),
    get pending() {
      return pending
    },
  }
}
