/**
 * The election as a pure function: facts come in as events, with monotonic time in them; what to do goes out as effects.
 *
 * It gives liveness: in quiet times exactly one replica leads, and when it is gone another one soon does. It does **not**
 * promise that only one leads at any moment (no lease can); safety is the bus's fence, and the order kept here: hold the lease by
 * a write that just succeeded, then claim, then serve. See elector.ts for the driver.
 */
import type { Lease, LeaseRecord } from './lock.ts'
import { FAILING_MS, othersMayDoBetter } from './patience.ts'
import { acquireAt, changeOf, type ElectionConfig, holderOf, tenureNow } from './standing.ts'
import type { Effect, Election, ElectionEvent } from './state.ts'

type Draft = { -readonly [K in keyof Election]: Election[K] }

/** Takes one event in. */
export function step(
  before: Election,
  event: ElectionEvent,
  config: ElectionConfig,
): { state: Election; effects: Effect[] } {
  const state: Draft = { ...before }
  const effects: Effect[] = []
  if (state.phase === 'ended') return { state, effects }
  takeIn(state, event, config, effects)
  decide(state, event.now, config, effects)
  return { state, effects }
}

function takeIn(state: Draft, event: ElectionEvent, config: ElectionConfig, effects: Effect[]): void {
  const { now } = event
  switch (event.type) {
    case 'start':
      state.nextAt = now
      return
    case 'tick':
      return
    case 'changed':
      // The holder learns of a change by its next renewal; most of what it is told is its own renewing.
      if (state.renewedAt === null) state.stale = true
      return
    case 'read':
      lockAnswered(state, now, config)
      seen(state, event.lease, now, config, effects)
      return
    case 'written':
      lockAnswered(state, now, config)
      written(state, event.lease, now, config, effects)
      return
    case 'lockFailed':
      lockFailed(state, event.unknown, now, config, effects)
      return
    case 'suspect':
      if (event.holder !== config.id) state.suspected = { holder: event.holder, at: now }
      return
    case 'claimed':
      claimed(state, event.term, now, config, effects)
      return
    case 'claimFailed':
      claimFailed(state, event.fenced, now, config, effects)
      return
    case 'reclaim':
      if (state.phase === 'leading' && state.claimAt === null && !state.claiming) wantClaim(state, now)
      return
    case 'lost':
      if (state.phase === 'leading') drain(state, 'claim', effects)
      return
    case 'failing':
      if (state.phase === 'leading' && othersMayDoBetter(state, event.since, now, FAILING_MS, config))
        giveUp(state, effects)
      return
    case 'served':
      state.serving = false
      // It ended by itself: this replica cannot serve now, another one may.
      if (state.phase === 'leading') drain(state, 'release', effects)
      return
    case 'handOver':
      if (state.phase !== 'leading' && state.phase !== 'releasing') effects.push({ do: 'released' })
      else {
        state.successor = event.successor
        giveUp(state, effects)
      }
      return
    case 'stop':
      state.stopping = true
      if (state.phase === 'leading' || state.phase === 'releasing') giveUp(state, effects)
  }
}

/** Acts on what is known. Every event ends here, so that no order of events leaves something undone. */
function decide(state: Draft, now: number, config: ElectionConfig, effects: Effect[]): void {
  const { timing } = config
  const { renewedAt } = state
  if (state.serving && renewedAt !== null && !config.strict && now >= renewedAt + timing.renewDeadlineMs) {
    loseLease(state, effects)
  }
  if (state.phase === 'releasing' && !state.serving) settle(state, now, config, effects)
  // A claim under way is waited for: landing later it would depose the next leader.
  if (state.phase === 'claiming' && state.stopping && !state.claiming) release(state)
  if (state.stopping && (state.phase === 'starting' || state.phase === 'standby') && !state.claiming) {
    state.phase = 'ended'
    effects.push({ do: 'ended' })
    return
  }
  if (state.call !== null || now < state.pausedUntil) return
  if (state.stale) {
    read(state, now, effects)
    return
  }
  if (state.renewedAt !== null) {
    if (state.phase === 'releasing' && !state.serving) {
      write(state, released(state, config), now, effects)
      return
    }
    if (now >= state.nextAt || claimDue(state, now)) {
      write(state, ours(state, config), now, effects)
      return
    }
  } else {
    const stands = state.phase === 'standby' && !state.stopping
    if (stands && now >= acquireAt(state, config)) {
      state.taking = changeOf(state, config)
      state.phase = 'acquiring'
      write(state, ours(state, config), now, effects)
    } else if (now >= state.nextAt) read(state, now, effects)
  }
}

/** When `step` must next be called even if nothing happens, on the monotonic clock; Infinity: never. */
export function wakeAt(state: Election, config: ElectionConfig): number {
  if (state.phase === 'ended') return Number.POSITIVE_INFINITY
  let at = Number.POSITIVE_INFINITY
  if (state.serving && state.renewedAt !== null && !config.strict) {
    at = state.renewedAt + config.timing.renewDeadlineMs
  }
  if (state.call !== null) return at
  let due = state.stale ? state.pausedUntil : state.nextAt
  if (state.phase === 'standby' && !state.stopping) {
    due = Math.min(due, acquireAt(state, config))
  }
  if (state.claimAt !== null && !state.claiming) due = Math.min(due, state.claimAt)
  if (state.phase === 'releasing' && !state.serving) due = state.pausedUntil
  return Math.min(at, Math.max(due, state.pausedUntil))
}

function lockAnswered(state: Draft, now: number, { timing, strict }: ElectionConfig): void {
  const { unreachedAt } = state
  if (unreachedAt !== null) {
    // Who leads under a fence goes on while nobody reaches the lock, and is to be the first to renew: that time does not count against
    // it, and after a long one its lease is watched anew.
    if (strict) state.seenAt = now - unreachedAt >= timing.leaseMs ? now : state.seenAt + now - unreachedAt
    state.unreachedAt = null
    state.reachedSince = now
  }
  state.call = null
  state.failures = 0
  state.nextAt = now + timing.retryMs
}

/** The lease as read. */
function seen(state: Draft, lease: Lease | null, now: number, config: ElectionConfig, effects: Effect[]): void {
  const revision = lease?.revision ?? null
  const changed = !state.informed || revision !== (state.lease?.revision ?? null)
  const first = !state.informed
  const holder = holderOf(lease)
  if (changed && holder !== '') state.tenure = tenureNow(state, holder, now)
  state.lease = lease
  state.informed = true
  if (changed) {
    state.seenAt = now
    state.jitter = config.random
  }
  if (lease !== null && Number.isSafeInteger(lease.record.term)) state.term = Math.max(state.term, lease.record.term)
  if (holder !== '') state.lastHolder = holder
  if (first && holder === config.id) state.inherited = revision
  // Who is suspected dead but has renewed since had better be believed; an earlier renewal seen late may still count.
  const { suspected } = state
  if (suspected && (holder !== suspected.holder || (changed && now > suspected.at + config.timing.retryMs))) {
    state.suspected = null
  }
  if (state.phase === 'starting') state.phase = 'standby'
  // An own release whose answer was lost.
  if (state.phase === 'releasing' && state.after === 'release' && lease?.record.released) state.resigned = revision
  const { unsure } = state
  if (unsure !== null && revision !== unsure.expected) {
    state.unsure = null
    // The write whose answer was lost is the one that made this.
    if (holder === config.id) {
      adopt(state, unsure.sentAt, now)
      return
    }
  }
  if (state.renewedAt === null) return
  if (changed) loseLease(state, effects)
  // The renewal in doubt has not landed, and time has passed over it.
  else if (unsure !== null) state.nextAt = now
}

function adopt(state: Draft, sentAt: number, now: number): void {
  if (state.renewedAt === null) {
    state.phase = 'claiming'
    // Not by this read: the claim wants a write that just succeeded.
    wantClaim(state, now)
  }
  state.renewedAt = Math.max(sentAt, state.renewedAt ?? sentAt)
  state.nextAt = now
}

function written(state: Draft, lease: Lease | null, now: number, config: ElectionConfig, effects: Effect[]): void {
  if (lease === null) {
    state.stale = true
    // With an own write of unknown outcome it may be that one that was faster: the read that follows tells.
    if (state.unsure !== null) state.phase = state.phase === 'acquiring' ? 'standby' : state.phase
    else if (state.renewedAt !== null) loseLease(state, effects)
    else state.phase = 'standby'
    return
  }
  if (!lease.record.released) state.tenure = tenureNow(state, config.id, now)
  state.lease = lease
  state.seenAt = now
  state.unsure = null
  state.suspected = null
  state.inherited = null
  if (lease.record.released) {
    state.resigned = lease.revision
    standBy(state, effects)
    return
  }
  state.lastHolder = config.id
  if (state.renewedAt === null) {
    state.phase = 'claiming'
    state.stale = false
    wantClaim(state, now)
  }
  state.renewedAt = state.sentAt
  if (claimDue(state, now) && !state.stopping) claim(state, effects)
}

function lockFailed(state: Draft, unknown: boolean, now: number, config: ElectionConfig, effects: Effect[]): void {
  const { call } = state
  const { retryMs } = config.timing
  state.call = null
  state.failures++
  state.unreachedAt ??= state.sentAt
  state.pausedUntil = now + Math.min(retryMs, 10 * 2 ** Math.min(state.failures, 10))
  state.nextAt = Math.max(state.nextAt, state.pausedUntil)
  if (call === 'read') state.stale = true
  if (call === 'write' && unknown) {
    state.unsure = { expected: state.lease?.revision ?? null, sentAt: state.sentAt }
    state.stale = true
  }
  if (state.phase === 'acquiring') state.phase = 'standby'
  // With a strict fence an unreachable lock is not a lost lead: a leader in doubt of a write may go on without it.
  // After a refusal it may not: then there is somebody else, and the lease says who it is to be. What was asked before the doubt says nothing of now.
  const asked = state.sentAt >= state.claimSince
  if (state.phase === 'leading' && config.strict && claimDue(state, now) && asked && !state.refused)
    claim(state, effects)
}

function claimed(state: Draft, term: number, now: number, config: ElectionConfig, effects: Effect[]): void {
  state.claiming = false
  state.term = Math.max(state.term, term)
  if (state.obsolete) {
    state.obsolete = false
    return
  }
  state.claimTries = 0
  // The record is to carry the new term soon.
  state.nextAt = now
  if (state.phase === 'leading') effects.push({ do: 'reclaimed' })
  if (state.phase !== 'claiming' || state.stopping || state.renewedAt === null) return
  // It took so long that the lease may have run out meanwhile. Under a fence who has the newest term serves until the lease is seen lost:
  // where every claim takes that long nobody would ever serve.
  if (!config.strict && now - state.renewedAt > config.timing.renewDeadlineMs) {
    wantClaim(state, now)
    return
  }
  state.phase = 'leading'
  state.serving = true
  effects.push({ do: 'serve', change: state.taking })
  state.taking = null
}

function claimFailed(state: Draft, fenced: boolean, now: number, config: ElectionConfig, effects: Effect[]): void {
  state.claiming = false
  if (state.obsolete) {
    state.obsolete = false
    return
  }
  if (state.phase !== 'claiming' && state.phase !== 'leading') return
  const { leaseMs, retryMs } = config.timing
  // Fenced: somebody claimed in between; the renewal that comes first tells whether the lease is still here.
  state.claimAt = fenced && state.claimTries === 0 ? now : now + Math.min(retryMs, 20 * 2 ** state.claimTries)
  state.claimTries++
  state.refused ||= fenced
  if (othersMayDoBetter(state, state.claimSince, now, 2 * leaseMs, config)) giveUp(state, effects)
}

function wantClaim(state: Draft, now: number): void {
  state.claimAt = now
  state.claimSince = now
  state.claimTries = 0
  state.refused = false
}

function claimDue(state: Draft, now: number): boolean {
  return state.claimAt !== null && now >= state.claimAt && !state.claiming
}

function claim(state: Draft, effects: Effect[]): void {
  state.claimAt = null
  state.claiming = true
  effects.push({ do: 'claim', floor: state.term })
}

/** The lease is gone, or must be taken for gone. */
function loseLease(state: Draft, effects: Effect[]): void {
  state.renewedAt = null
  state.claimAt = null
  state.taking = null
  state.obsolete = state.claiming
  state.stale = true
  if (state.serving) {
    if (state.phase === 'leading') effects.push({ do: 'drain', why: 'lost' })
    state.phase = 'releasing'
    state.after = 'stand by'
  } else standBy(state, effects)
}

function drain(state: Draft, after: 'release' | 'claim', effects: Effect[]): void {
  state.phase = 'releasing'
  state.after = after
  state.claimAt = null
  state.obsolete = state.claiming
  effects.push({ do: 'drain', why: after === 'claim' ? 'lost' : 'handOver' })
}

/** On purpose: drain if serving, then release if the lease is still here. */
function giveUp(state: Draft, effects: Effect[]): void {
  if (state.phase === 'leading') drain(state, 'release', effects)
  else release(state)
}

function release(state: Draft): void {
  if (state.phase === 'claiming') state.phase = 'releasing'
  if (state.renewedAt !== null) state.after = 'release'
  state.claimAt = null
}

/** Serving has ended. */
function settle(state: Draft, now: number, { timing }: ElectionConfig, effects: Effect[]): void {
  if (state.renewedAt === null || state.after === 'stand by') {
    standBy(state, effects)
    return
  }
  if (state.after === 'claim') {
    state.phase = 'claiming'
    wantClaim(state, now)
  } else if (now - state.renewedAt >= timing.leaseMs) {
    // It has run out for everybody else: nothing is left to be released.
    standBy(state, effects)
  }
}

function standBy(state: Draft, effects: Effect[]): void {
  if (state.phase === 'releasing') effects.push({ do: 'released' })
  state.phase = 'standby'
  state.renewedAt = null
  state.claimAt = null
  state.successor = undefined
  state.after = 'stand by'
}

function read(state: Draft, now: number, effects: Effect[]): void {
  state.stale = false
  state.call = 'read'
  state.sentAt = now
  effects.push({ do: 'read' })
}

function write(state: Draft, record: LeaseRecord, now: number, effects: Effect[]): void {
  state.call = 'write'
  state.sentAt = now
  effects.push({ do: 'write', record, expected: state.lease?.revision ?? null })
}

function ours(state: Election, { id, timing }: ElectionConfig): LeaseRecord {
  return { holder: id, durationMs: timing.leaseMs, term: state.term, released: false }
}

/** The term stays in it: a floor for the next claim. */
function released(state: Election, { timing }: ElectionConfig): LeaseRecord {
  const { term, successor } = state
  return {
    holder: '',
    durationMs: timing.leaseMs,
    term,
    released: true,
    ...(successor === undefined ? {} : { successor }),
  }
}
