/**
 * `--deliver URL`: every event by CloudEvents over HTTP, in the order of the log, at least once. An event is delivered, or it is held and
 * tried for ever: only 2xx moves the cursor. One request is in flight at a time, so what is held holds up everything after it; a receiver that
 * wants more throughput reads `/v1/events`. The cursor is written behind the deliveries, so the last ones before a crash may come
 * twice, with the same id.
 */
import type { Bus, Stored } from '../bus/bus.ts'
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import { patiently, within } from '../core/signals.ts'
import { type Account, createAccount } from './delivery/account.ts'
import { type Cursor, createCursor } from './delivery/cursor.ts'
import { createGaps, createLook, type Gaps } from './delivery/look.ts'
import { type DeliveryMode, message } from './delivery/message.ts'
import { findPlace } from './delivery/place.ts'
import { createPoster, type Poster } from './delivery/post.ts'
import { parseTarget } from './delivery/target.ts'
import type { DeliveryStatus } from './status.ts'

export type { DeliveryMode } from './delivery/message.ts'
export { parseTarget } from './delivery/target.ts'

export interface Delivery {
  status(): DeliveryStatus
  /** Resolves when the request in flight is answered, or was given a few seconds, and the cursor is written. */
  stop(): Promise<void>
}

/** Where to, and with what. */
export interface DeliverTo {
  url: string
  /** The address is a secret itself: nothing but its host is shown. */
  secret?: boolean
  mode: DeliveryMode
  /** Fields that are sent along, read before each request. @throws what is shown, and the event is held */
  credentials?: () => Promise<Record<string, string>>
}

export interface DeliveryOptions extends DeliverTo {
  bus: Bus
  clock: Clock
  log: Logger
  redactor: Redactor
  /** What the receiver is told: `vedette/<version>`. */
  userAgent?: string
  /** Names this run among those that use the bus: a new address goes on where the one before of the same run stood. */
  owner?: string
}

const CURSOR_EVERY_MS = 500
/** A start waits for the bus to say where to begin, so that what is stored from then on is delivered; but not for ever. */
const START_PATIENCE_MS = 5_000
const LOOK_EVERY_MS = 10_000
const ASK_AGAIN_MS = 1_000
const PLACE_PATIENCE_MS = 30_000
/** A reading that goes on for so long, or gives an event, works. */
const STEADY_MS = 2_000
/** For the request in flight. */
const STOP_PATIENCE_MS = 5_000

interface Parts {
  bus: Bus
  clock: Clock
  mode: DeliveryMode
  account: Account
  cursor: Cursor
  poster: Poster
  gaps: Gaps
  stopping: AbortSignal
  /** Ends the session that reads now. */
  anew: () => void
}

/** Begins with the events that are stored after a first URL was given. Works in the background, for ever, whatever fails. */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const {
    bus,
    clock,
    log,
    redactor,
    mode,
    url,
    secret = false,
    credentials,
    userAgent = 'vedette',
    owner = '',
  } = options
  const target = parseTarget(url, { secret })
  for (const one of target.secrets) redactor.hide(one)
  const stopped = new AbortController()
  const stopping = stopped.signal
  const account = createAccount({ shown: target.shown, clock, log })
  const cursor = createCursor({ bus, target, owner, clock, log })
  const poster = createPoster({
    target,
    userAgent,
    clock,
    redact: redactor.redact,
    ...(credentials === undefined ? {} : { credentials }),
  })
  const gaps = createGaps({ bus, clock, account, cursor })
  const parts: Parts = { bus, clock, mode, account, cursor, poster, gaps, stopping, anew: () => {} }
  const look = createLook({ bus, clock, log, account, cursor, gaps, anew: () => parts.anew() })
  const placed = Promise.withResolvers<void>()
  const working = Promise.all([
    untilStopped(parts, placed.resolve),
    repeat(parts, CURSOR_EVERY_MS, () => cursor.save()),
    repeat(parts, LOOK_EVERY_MS, look),
  ])
  await Promise.race([placed.promise, clock.sleep(START_PATIENCE_MS, stopping)])
  return {
    status: () => account.status(cursor.place),
    async stop() {
      stopped.abort()
      await patiently(working, { signal: stopping, clock, patienceMs: STOP_PATIENCE_MS })
      poster.close()
      await cursor.save()
    },
  }
}

/** Session after session. However one ends, it is said, and the next begins. */
async function untilStopped(parts: Parts, onPlaced: () => void): Promise<void> {
  const { account, clock, stopping } = parts
  for (let attempt = 0; !stopping.aborted; attempt++) {
    try {
      await session(parts, {
        onPlaced,
        onSteady() {
          attempt = 0
          account.read()
        },
      })
    } catch (error) {
      if (stopping.aborted) return
      account.unread(error)
      await clock.sleep(backoffMs(attempt), stopping).catch(() => {})
    }
  }
}

/**
 * Reads the log from the cursor on and delivers. Returns when it should be looked at anew: after a break of the bus what follows may be
 * another log. @throws when the log cannot be read
 */
async function session(
  parts: Parts,
  { onPlaced, onSteady }: { onPlaced: () => void; onSteady: () => void },
): Promise<void> {
  const { bus, clock, account, cursor, gaps, stopping } = parts
  const over = new AbortController()
  parts.anew = () => over.abort()
  const signal = AbortSignal.any([stopping, over.signal])
  const forget = bus.onStatus(({ connected }) => connected && over.abort())
  let events: AsyncIterator<Stored> | null = null
  let unsteady = () => {}
  try {
    account.holds(null)
    await settle(parts)
    onPlaced()
    unsteady = clock.after(STEADY_MS, onSteady)
    events = bus.read({ from: cursor.place.seq + 1, follow: true, signal })[Symbol.asyncIterator]()
    for (;;) {
      const next = await unlessAborted(events.next(), signal)
      if (next === null || signal.aborted) return
      if (next.done === true) throw fail('BUS_UNAVAILABLE', 'the reading of the log ended')
      unsteady()
      onSteady()
      account.holds(next.value)
      await gaps.passed(cursor.place.seq + 1, next.value.seq)
      if (!(await deliver(parts, next.value))) return
    }
  } finally {
    unsteady()
    over.abort()
    forget()
    events?.return?.().catch(() => {})
  }
}

/** Finds the cursor, and its place in the log as it is now. @throws what the bus throws */
async function settle({ bus, clock, cursor, account, gaps, stopping }: Parts): Promise<void> {
  await within(cursor.load(), PLACE_PATIENCE_MS, clock)
  const before = cursor.place
  const look = () => within(findPlace(bus, before), PLACE_PATIENCE_MS, clock)
  let found = await look()
  if (found.remade) {
    // a server that lags behind the others for a moment is not another log
    await clock.sleep(ASK_AGAIN_MS, stopping)
    found = await look()
  }
  const { place, remade, lost } = found
  gaps.settled(before.seq, remade)
  if (remade) account.remade(before.seq, place.seq)
  if (lost > 0) account.lost(lost, place.seq)
  if (place !== before) cursor.move(place)
}

/** Until the receiver takes it. @returns false when stopping: it was not delivered, as far as is known */
async function deliver({ account, cursor, poster, mode, clock, stopping }: Parts, stored: Stored): Promise<boolean> {
  const request = message(stored, mode)
  while (!stopping.aborted) {
    const answer = await poster.post(request)
    if (answer.taken) {
      account.taken()
      cursor.pass(stored)
      return true
    }
    if (stopping.aborted) return false
    const waitMs = Math.max(backoffMs(account.refusals), answer.waitMs)
    account.refused(answer, waitMs)
    await clock.sleep(waitMs, stopping).catch(() => {})
  }
  return false
}

/** What `work` gives, or null once the signal aborts: also when `work` never ends. @throws what `work` throws */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(null)
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}

/** Does it again and again until the signal; what fails is done again the next time. Never rejects. */
async function repeat(
  { clock, stopping }: Pick<Parts, 'clock' | 'stopping'>,
  everyMs: number,
  work: () => Promise<void>,
): Promise<void> {
  while (!stopping.aborted) {
    await clock.sleep(everyMs, stopping).catch(() => {})
    if (!stopping.aborted) await work().catch(() => {})
  }
}
