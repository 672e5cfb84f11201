/**
 * `--deliver URL`: every event by CloudEvents over HTTP, in order, at least once. One request is in flight at a time: order is
 * the promise, and a receiver that wants more throughput reads `/v1/events`. The cursor lives in the bus's key-value table, so it
 * survives every restart; it is written behind the deliveries, so the last ones before a crash may come twice, with the same id.
 */
import { createHash } from 'node:crypto'
import type { Bus, Stored } from '../bus/bus.ts'
import { backoffMs, retryAfterMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, isAbort, messageOf } from '../core/errors.ts'
import { decodeEvent, eventData } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { DeliveryStatus } from './status.ts'

/** `structured`: the CloudEvent is the body. `binary`: the data is the body, the attributes are `ce-` headers. */
export type DeliveryMode = 'structured' | 'binary'

/** An answer that says "never" (4xx but 408, 425, 429; also 3xx) is believed after so many tries: then the event is skipped, counted and logged. */
const TRIES_BEFORE_SKIP = 10
const CURSOR_EVERY_MS = 500
const REQUEST_TIMEOUT_MS = 30_000
const LONGEST_RETRY_AFTER_MS = 300_000

export interface Delivery {
  status(): DeliveryStatus
  /** Resolves when the one request in flight is answered and the cursor is written. */
  stop(): Promise<void>
}

export interface DeliveryOptions {
  bus: Bus
  url: string
  mode: DeliveryMode
  clock: Clock
  log: Logger
  /** For tests. */
  fetch?: typeof fetch
}

interface Target {
  url: string
  /** Without user, password and query: what may be logged. */
  shown: string
  headers: Record<string, string>
}

/** @throws USAGE when it is no http(s) URL */
export function parseTarget(text: string): Target {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw fail('USAGE', `--deliver ${JSON.stringify(text)} is not a URL: write http://host/path or https://host/path`)
  }
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = ''
  url.password = ''
  return {
    url: url.href,
    shown: `${url.origin}${url.pathname}`,
    headers: credentials === ':' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  }
}

/** Begins with the events that are stored after the URL was first given. Resolves once its cursor is on the bus. */
export async function startDelivery(options: DeliveryOptions): Promise<Delivery> {
  const { bus, clock, log } = options
  const target = parseTarget(options.url)
  const key = `deliver/${createHash('sha256').update(target.url).digest('hex').slice(0, 32)}`
  const status: DeliveryStatus = { url: target.shown, delivered: 0, skipped: 0, cursor: 0, head: 0, error: null }
  const kept = await bus.kv.get(key)
  status.head = (await bus.state()).lastSeq
  status.cursor = kept === null ? status.head : cursorIn(kept.value)
  const write = () => bus.kv.put(key, Buffer.from(JSON.stringify({ seq: status.cursor, url: target.shown })))
  let written = status.cursor
  if (kept === null) await write()

  const stopping = new AbortController()
  const post = poster({ ...options, target })
  const keepCursor = async () => {
    if (written === status.cursor) return
    const seq = status.cursor
    try {
      await write()
      written = seq
    } catch (error) {
      log.debug('the delivery cursor could not be written; it is tried again', { error })
    }
  }
  const work = async () => {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      try {
        for await (const stored of bus.read({ from: status.cursor + 1, follow: true, signal: stopping.signal })) {
          attempt = 0
          await deliverOne(stored)
          if (stopping.signal.aborted) return
        }
      } catch (error) {
        if (stopping.signal.aborted || isAbort(error)) return
        status.error = messageOf(error)
        await clock.sleep(backoffMs(attempt), stopping.signal).catch(() => {})
      }
    }
  }
  let cursorTimer = () => {}
  const tick = () => {
    void keepCursor().finally(() => {
      if (!stopping.signal.aborted) cursorTimer = clock.after(CURSOR_EVERY_MS, tick)
    })
  }
  cursorTimer = clock.after(CURSOR_EVERY_MS, tick)

  /** Returns when it is delivered or skipped; also when stopping, then without having moved the cursor. */
  const deliverOne = async (stored: Stored): Promise<void> => {
    status.head = Math.max(status.head, stored.seq)
    for (let attempt = 0, refusals = 0; ; attempt++) {
      const verdict = await post(stored)
      if (verdict.verdict === 'delivered') {
        if (status.error !== null) log.info('delivery goes on', { url: target.shown })
        status.error = null
        status.delivered++
        status.cursor = stored.seq
        return
      }
      if (status.error === null)
        log.warn('delivery fails; it is retried', { url: target.shown, error: verdict.why, eventID: stored.id })
      status.error = verdict.why
      if (verdict.verdict === 'refused' && ++refusals >= TRIES_BEFORE_SKIP) {
        log.error('the receiver refuses this event for good; it is skipped', {
          url: target.shown,
          error: verdict.why,
          eventID: stored.id,
          seq: stored.seq,
        })
        status.skipped++
        status.cursor = stored.seq
        return
      }
      try {
        await clock.sleep(Math.max(backoffMs(attempt), verdict.waitMs), stopping.signal)
      } catch {
        return
      }
    }
  }
  const working = work()
  return {
    status: () => ({ ...status }),
    async stop() {
      stopping.abort()
      cursorTimer()
      await working
      await keepCursor()
    },
  }
}

type Verdict =
  | { verdict: 'delivered' }
  /** `again`: waiting helps. `refused`: the receiver says that it will not. */
  | { verdict: 'again' | 'refused'; why: string; waitMs: number }

function poster({ target, mode, clock, fetch: send = fetch }: DeliveryOptions & { target: Target }) {
  return async (stored: Stored): Promise<Verdict> => {
    try {
      const response = await send(target.url, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        ...message(stored, mode, target.headers),
      } as RequestInit)
      // an unread body would keep the connection from being used again
      await response.arrayBuffer().catch(() => {})
      return judge(response.status, response.headers.get('retry-after'), clock.now())
    } catch (error) {
      return { verdict: 'again', why: networkError(error), waitMs: 0 }
    }
  }
}

/** What an answer means. `retryAfter` is the header, seconds or a date. */
export function judge(status: number, retryAfter: string | null, nowMs: number): Verdict {
  if (status >= 200 && status < 300) return { verdict: 'delivered' }
  const waitMs = Math.min(retryAfterMs(retryAfter, nowMs), LONGEST_RETRY_AFTER_MS)
  const again = status >= 500 || status === 408 || status === 425 || status === 429
  return { verdict: again ? 'again' : 'refused', why: `the receiver answered ${status}`, waitMs }
}

/** Headers and body of one event. */
export function message(
  stored: Pick<Stored, 'event'>,
  mode: DeliveryMode,
  headers: Record<string, string> = {},
): { headers: Record<string, string>; body: Uint8Array } {
  if (mode === 'structured') {
    return {
      headers: { ...headers, 'content-type': 'application/cloudevents+json; charset=utf-8' },
      body: stored.event,
    }
  }
  const { data_base64: _, data: __, datacontenttype, ...attributes } = decodeEvent(stored.event)
  const ce = Object.entries(attributes)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => [`ce-${name}`, percentEncoded(String(value))])
  return {
    headers: { ...headers, ...Object.fromEntries(ce), 'content-type': datacontenttype ?? 'application/json' },
    body: eventData(decodeEvent(stored.event)),
  }
}

/** CloudEvents HTTP binding 3.1.3.2: space, `"`, `%` and everything outside printable ASCII. */
function percentEncoded(value: string): string {
  return value.toWellFormed().replace(/[^\x21\x23\x24\x26-\x7e]/gu, (c) => encodeURIComponent(c))
}

function networkError(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${REQUEST_TIMEOUT_MS / 1000} s`
  return cause?.code ?? messageOf(error)
}

function cursorIn(value: Uint8Array): number {
  const { seq } = JSON.parse(Buffer.from(value).toString('utf8')) as { seq?: unknown }
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq))
    throw fail('STORE_CORRUPT', 'the delivery cursor is not a number')
  return seq
}
