/**
 * Drives the election (election.ts) over a real lock, clock and bus. It renews as long as it holds the lease, also while
 * draining, and releases only after serving has ended: whoever releases earlier invites a second one to start beside it.
 * Losing the lead is nothing special here: the replica stands by again and may lead again.
 */
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError, messageOf } from '../core/errors.ts'
import { randomId } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import { within } from '../core/signals.ts'
import { watchSilence } from '../core/silence.ts'
import { watchClaims } from './claiming.ts'
import { step, wakeAt } from './election.ts'
import { type Held, heldIn } from './held.ts'
import type { Lease, LeaseTiming, Lock, Suspicion } from './lock.ts'
import type { Change, ElectionConfig } from './standing.ts'
import { type Effect, type ElectionEvent, type ElectorView, notStarted, viewOf } from './state.ts'
import { leaseTiming } from './timing.ts'

export type { ElectorView } from './state.ts'

/** One lead of this replica, from the claim until `serve` has returned. */
export interface Lead<F> {
  /** What the first claim gave; after {@link reclaim}, what that returned counts. */
  readonly fenced: F
  /**
   * Aborts when the lead is lost (the reason's code is FENCED: nothing more will be stored) or is being handed over
   * (NOT_LEADING: what is in flight may still be stored).
   */
  readonly signal: AbortSignal
  /** What this lead follows; null: the first leader ever, or a replica's own restart. */
  readonly change: Change | null
  /**
   * After an unknown outcome: writes a new term record under the same lease. Tries until it works or the lead is gone.
   * @throws NOT_LEADING when the lead is gone
   */
  reclaim(): Promise<F>
  /** The bus refused the term: steps down now. Stands again at once if the lease is still here. */
  lost(error: unknown): void
  /**
   * The bus has taken nothing since this moment of `clock.monotonic`; to be said again as long as that lasts. Hands the lead over when
   * it may do better elsewhere. @returns true when it does so now
   */
  failing(sinceMs: number): boolean
}

export interface ElectorOptions<F extends { term: number }> {
  id: string
  lock: Lock
  suspicions: Suspicion[]
  timing?: Partial<LeaseTiming> | undefined
  clock: Clock
  random?: (() => number) | undefined
  log: Logger
  /** The bus refuses older terms, so suspicion is enough to take over and an unreachable lock is no reason to stop. */
  strict: () => boolean
  /**
   * Writes a term record. Given up when the bus is silent for two leases: when nothing comes of it, and `progress` is not called meanwhile.
   * What it is told is what the claim does, in words.
   * @throws FENCED another claim came between, or the lease is not here; anything else is tried again
   */
  claim: (
    claim: { holder: string; nonce: string; floor: number; unbroken: boolean },
    progress: (step?: string) => void,
  ) => Promise<F>
  /** False while the bus does not answer: then this replica does not stand. */
  mayStand?: () => boolean
  onView: (view: ElectorView) => void
  /** Everybody waits for whoever holds the lease, see {@link Held}; null: no longer. Told again as that changes. */
  onHeld?: (held: Held | null) => void
  /** The lock cannot be used, and why; null: it can again. */
  onLockError?: (error: string | null) => void
  /** For some seconds claims have not led to a term: what they stand at, and since when (milliseconds since the epoch); null: they do no longer. */
  onClaimStanding?: (standing: { error: string; sinceMs: number } | null) => void
  /** Serves; returns soon after `lead.signal` has aborted, having drained. Returning earlier gives the lead up. */
  serve: (lead: Lead<F>) => Promise<void>
}

export interface Elector {
  /**
   * Takes part until `signal` aborts; then stops leading, waits for `serve`, releases the lease and returns.
   * Never throws for trouble with the lock. Once only.
   */
  run(signal: AbortSignal): Promise<void>
  view(): ElectorView
  /** Hands the lead over now, if this replica leads: drains, then releases, naming `successor`. Resolves when released. */
  handOver(successor?: string): Promise<void>
}

interface Leading<F> {
  stop: AbortController
  reclaims: PromiseWithResolvers<F>[]
}

/** @throws SPEC_INVALID for a timing that does not fit */
export function createElector<F extends { term: number }>(options: ElectorOptions<F>): Elector {
  const { id, lock, suspicions, clock, random = Math.random, log, strict, mayStand = () => true } = options
  const timing = leaseTiming(options.timing)
  let state = notStarted
  let view = viewOf(state, id)
  let held: Held | null = null
  let fence: F | null = null
  let leading: Leading<F> | null = null
  const handedOver: (() => void)[] = []
  let cancelWake = () => {}
  let nonce: string | null = null
  /** Counts on while the lease is not here; and what it was at the start of the last claim that succeeded. */
  let [tenure, claimedIn] = [0, -1]
  let lockTrouble: string | null = null
  /** The revision that could not be replaced: reading it once more does not show that the lock can be used. */
  let unwritten: { revision: string | null } | null = null
  /** What claiming met with last, so that it is said once. */
  let claimTrouble = ''
  const claiming = watchClaims(clock, log, id, (standing) => options.onClaimStanding?.(standing))
  const ended = Promise.withResolvers<void>()

  const config = (): ElectionConfig => ({
    id,
    timing,
    strict: strict(),
    mayStand: mayStand(),
    lockOnBus: lock.onBus === true,
    watched: suspicions.length > 0,
    random: random(),
  })

  // What an effect sets off may itself be an event; they are taken in one after another.
  const queue: ElectionEvent[] = []
  let busy = false
  function tell(event: ElectionEvent): void {
    queue.push(event)
    if (busy) return
    busy = true
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const stepped = step(state, next, config())
      state = stepped.state
      if (state.renewedAt === null) tenure++
      for (const effect of stepped.effects) carryOut(effect)
      show()
    }
    busy = false
    if (!state.claiming && state.claimAt === null) claiming.over(false)
    cancelWake()
    const at = wakeAt(state, config())
    if (at !== Number.POSITIVE_INFINITY) {
      // Whole milliseconds, as timers have them: woken a fraction early it would find nothing to do.
      cancelWake = clock.after(Math.ceil(at - clock.monotonic()), () => tell({ type: 'tick', now: clock.monotonic() }))
    }
  }

  function showHeld(): void {
    const now = heldIn(state, config(), clock.monotonic())
    if (now?.holder === held?.holder && now?.renewedMs === held?.renewedMs && now?.untilMs === held?.untilMs) return
    held = now
    options.onHeld?.(now)
  }

  function show(): void {
    showHeld()
    const seen = viewOf(state, id)
    if (seen.state === view.state && seen.leader === view.leader && seen.term === view.term) return
    view = seen
    options.onView(view)
  }

  function carryOut(effect: Effect): void {
    switch (effect.do) {
      case 'read':
        callLock('read', () => lock.read())
        return
      case 'write':
        callLock('written', () => lock.write(effect.record, effect.expected), effect.expected)
        return
      case 'claim':
        claim(effect.floor)
        return
      case 'serve':
        serve(effect.change)
        return
      case 'reclaimed':
        for (const { resolve } of leading?.reclaims.splice(0) ?? []) resolve(fence as F)
        return
      case 'drain':
        if (effect.why === 'lost') log.info('no longer leads: serving stops', { replica: id })
        stopServing(effect.why)
        return
      case 'released':
        for (const resolve of handedOver.splice(0)) resolve()
        return
      case 'ended':
        ended.resolve()
    }
  }

  /** A call that does not answer in time counts as one of unknown outcome; what it answers later is not looked at. */
  function callLock(type: 'read' | 'written', call: () => Promise<Lease | null>, revision: string | null = null): void {
    within(call(), timing.renewDeadlineMs, clock).then(
      (lease) => {
        const stuck = type === 'read' && unwritten !== null && unwritten.revision === (lease?.revision ?? null)
        if (!stuck) unwritten = null
        if (lockTrouble !== null && !stuck) {
          log.info('the lock answers again', { replica: id })
          noteLock(null)
        }
        tell({ type, now: clock.monotonic(), lease })
      },
      (error) => {
        if (type === 'written') unwritten = { revision }
        if (lockTrouble === null) log.warn('the lock cannot be used', { replica: id, error })
        noteLock(messageOf(error))
        tell({ type: 'lockFailed', now: clock.monotonic(), unknown: !isVedetteError(error, 'LOCK_UNAVAILABLE') })
      },
    )
  }

  function noteLock(error: string | null): void {
    if (error === lockTrouble) return
    lockTrouble = error
    options.onLockError?.(error)
  }

  function claim(floor: number): void {
    // One nonce until the outcome is known: a late copy of an earlier attempt then does no harm.
    nonce ??= randomId()
    claiming.begun()
    const during = tenure
    const claimed = { holder: id, nonce, floor, unbroken: claimedIn === tenure }
    const silentMs = 2 * timing.leaseMs
    const givenUp = Promise.withResolvers<never>()
    const unheard = fail('OUTCOME_UNKNOWN', `no answer within ${Math.round(silentMs)} ms`)
    const silence = watchSilence(clock, silentMs, () => givenUp.reject(unheard))
    const progress = (step?: string) => {
      silence.broken()
      if (step !== undefined) claiming.at(step)
    }
    Promise.race([options.claim(claimed, progress), givenUp.promise])
      .finally(silence.end)
      .then(
        (made) => {
          claimTrouble = ''
          nonce = null
          claiming.over(true)
          fence = made
          claimedIn = during
          tell({ type: 'claimed', now: clock.monotonic(), term: made.term })
        },
        (error) => {
          const fenced = isVedetteError(error, 'FENCED')
          if (fenced) nonce = null
          const trouble = messageOf(error)
          if (trouble !== claimTrouble) log.warn('could not claim a term, trying again', { replica: id, error })
          claimTrouble = trouble
          // Where a claim stands is what it said last, not that somebody has lost patience with it.
          if (error !== unheard) claiming.at(trouble)
          tell({ type: 'claimFailed', now: clock.monotonic(), fenced })
        },
      )
  }

  function serve(change: Change | null): void {
    const mine: Leading<F> = { stop: new AbortController(), reclaims: [] }
    leading = mine
    const { signal } = mine.stop
    const lead: Lead<F> = {
      fenced: fence as F,
      signal,
      change,
      reclaim() {
        if (signal.aborted) return Promise.reject(notLeading())
        const reclaim = Promise.withResolvers<F>()
        mine.reclaims.push(reclaim)
        tell({ type: 'reclaim', now: clock.monotonic() })
        return reclaim.promise
      },
      lost(error) {
        if (signal.aborted) return
        log.warn('the bus refused the term', { replica: id, error })
        tell({ type: 'lost', now: clock.monotonic() })
      },
      failing(since) {
        if (signal.aborted) return false
        tell({ type: 'failing', now: clock.monotonic(), since })
        return signal.aborted
      },
    }
    void Promise.resolve(lead)
      .then(options.serve)
      .catch((error: unknown) => log.error(`serving failed: ${messageOf(error)}`, { replica: id, error }))
      .then(() => {
        if (!signal.aborted) log.warn('serving ended by itself: the lead is given up', { replica: id })
        stopServing('handOver')
        leading = null
        tell({ type: 'served', now: clock.monotonic() })
      })
  }

  function stopServing(why: 'lost' | 'handOver'): void {
    if (leading === null || leading.stop.signal.aborted) return
    leading.stop.abort(
      why === 'lost' ? fail('FENCED', `${id} has lost the lead`) : fail('NOT_LEADING', `${id} hands the lead over`),
    )
    for (const { reject } of leading.reclaims.splice(0)) reject(notLeading())
  }

  function notLeading() {
    return fail('NOT_LEADING', `${id} no longer leads; another replica may, or this one will claim again`)
  }

  return {
    async run(signal) {
      const at = () => clock.monotonic()
      const stop = () => tell({ type: 'stop', now: at() })
      const forget = [
        lock.onChange(() => tell({ type: 'changed', now: at() })),
        ...suspicions.map((suspicion) => suspicion.onSuspect((holder) => tell({ type: 'suspect', now: at(), holder }))),
      ]
      signal.addEventListener('abort', stop, { once: true })
      tell({ type: 'start', now: at() })
      if (signal.aborted) stop()
      await ended.promise
      signal.removeEventListener('abort', stop)
      cancelWake()
      for (const unsubscribe of forget) unsubscribe()
    },
    view: () => view,
    handOver(successor) {
      return new Promise((resolve) => {
        handedOver.push(resolve)
        tell({ type: 'handOver', now: clock.monotonic(), successor })
      })
    },
  }
}
