/**
 * Hot standby of one entry in one replica. While it does not lead it listens and follows the log, so that what it keeps is what
 * nobody has published yet; when it leads it reads the log to its end, publishes what is left, and goes on with what comes.
 * The fence makes this safe: after the claim nobody else can write, so the end of the log is the end.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type Bus, isOfOthers, type SourceRef, type Stored } from '../../bus/bus.ts'
import { retryForEver } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { decodeEvent, eventData } from '../../core/event.ts'
import type { Logger } from '../../core/log.ts'
import { whenAborted } from '../../core/signals.ts'
import type { Emit, Emitted, Heard, Item } from '../../source.ts'
import { createBuffer, type Message } from './buffer.ts'

/** What a standby keeps; docs/guarantees.md says so. */
export const standbyLimits = { keepMs: 60_000, maxBytes: 16 << 20, aheadMs: 5_000 } as const

/** Who has listened for less than this may have missed what the leader has not published yet. */
const SETTLED_MS = 1_000
/** But not again and again: a connection that comes and goes must not keep everyone from leading. */
const FRESH_AGAIN_MS = 10_000
/** Messages handed over and without an outcome; the others wait in the buffer, where they are counted. */
const MOST_IN_FLIGHT = 1_000
const AGAIN = { firstMs: 50, maxMs: 1_000 }

/** How a lead begins. */
export interface LeadNews {
  /** What the log has is known: from here on what is heard is published. */
  caughtUp(): void
  /** Why that cannot be done yet; null: it could. */
  condition(trouble: string | null): void
}

export interface Ear {
  /** Follows the log and calls `listen` once it knows where that ends; until `signal` aborts. */
  attend(listen: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>
  /** The subscription stands, since now. */
  subscribed(): void
  /**
   * Another replica would make a better leader: true for a moment after that, and on, for about a lease, while what is heard does not get onto
   * the log. The leader may have stood still with messages that were sent before.
   */
  readonly fresh: boolean
  hear(message: Heard): Promise<Emitted['outcome'] | null>
  /** Publishes until `signal` aborts; what it handed over has an outcome when it resolves. @throws what `emit` throws */
  lead(emit: (event: Emit) => Promise<Emitted>, signal: AbortSignal, say?: LeadNews): Promise<void>
  /** This replica has written up to `seq`. */
  wrote(seq: number): void
}

export function createEar({
  bus,
  source,
  entry,
  fingerprint,
  clock,
  log,
  leaseMs,
  onOverflow,
  limits = standbyLimits,
}: {
  bus: Pick<Bus, 'read' | 'state'>
  source: SourceRef
  entry: string
  fingerprint: string
  clock: Clock
  log: Logger
  /** A leader who does not renew is followed by another after so long. */
  leaseMs: number
  /** Messages are lost since the bus takes nothing and the buffer is full. @param lost since the start */
  onOverflow: (lost: number) => void
  limits?: { keepMs: number; maxBytes: number; aheadMs: number }
}): Ear {
  const buffer = createBuffer<Item>(limits)
  const range = { namespace: source.namespace, eventSource: source.name, entry }
  /** Everything up to here has been compared; null until the log's end is known. */
  let seen: number | null = null
  let following: AbortController | null = null
  let leading: { pump(): void } | null = null
  let attending: AbortSignal | null = null
  let overflowed = 0
  let sinceMs = clock.monotonic()
  let heardBefore = false
  /** Something that was heard since the subscription is on the log: so is all that was sent before, since events come there in order. */
  let caughtUp = false
  /** Who waits for the outcome of a message. */
  const waiters = new Map<number, (outcome: Emitted['outcome'] | null) => void>()

  const note = (stored: Stored): void => {
    if (stored.seq <= (seen ?? 0)) return
    seen = stored.seq
    const key = isOfOthers(stored) ? contentOf(stored) : keyOf(stored.sourceId, fingerprint)
    if (key === null) return
    const heard = buffer.size
    buffer.logged(key, clock.monotonic())
    caughtUp ||= buffer.size < heard
  }

  /** Compares with everything that the log has by now. */
  const catchUp = (signal: AbortSignal, say: (trouble: string) => void): Promise<void> =>
    retryForEver(
      async () => {
        seen ??= (await bus.state()).lastSeq
        for await (const stored of bus.read({ ...range, from: seen + 1, signal })) note(stored)
      },
      {
        ...AGAIN,
        clock,
        signal,
        onError: (error) => say(`nothing is published until the log can be read: ${messageOf(error)}`),
      },
    )

  const follow = async (): Promise<void> => {
    if (attending === null || attending.aborted || following !== null) return
    const mine = new AbortController()
    following = mine
    const signal = AbortSignal.any([attending, mine.signal])
    const read = async () => {
      seen ??= (await bus.state()).lastSeq
      for await (const stored of bus.read({ ...range, from: seen + 1, follow: true, signal })) {
        if (mine.signal.aborted) return
        note(stored)
        buffer.expire(clock.monotonic())
      }
      signal.throwIfAborted()
      throw new Error('the log ended')
    }
    await retryForEver(read, { ...AGAIN, clock, signal }).catch(() => {})
  }

  const stopFollowing = (): void => {
    following?.abort()
    following = null
  }

  const settled = (message: Message<Item>, outcome: Emitted['outcome']): void => {
    buffer.settle(message)
    waiters.get(message.n)?.(outcome)
    waiters.delete(message.n)
  }

  return {
    async attend(listen, signal) {
      attending = signal
      // An event that is on the log before this is of a message that nobody sends to who subscribes after it.
      await retryForEver(
        async () => {
          seen ??= (await bus.state()).lastSeq
        },
        { ...AGAIN, clock, signal },
      ).catch(() => {})
      if (leading === null) void follow()
      if (!signal.aborted) await listen(signal)
      stopFollowing()
    },
    subscribed() {
      const nowMs = clock.monotonic()
      if (!heardBefore || nowMs - sinceMs > FRESH_AGAIN_MS) {
        sinceMs = nowMs
        caughtUp = false
      }
      heardBefore = true
    },
    get fresh() {
      const listensMs = clock.monotonic() - sinceMs
      if (listensMs < SETTLED_MS) return true
      // Who has listened for longer takes over within that time; if there is nobody, it is for this one.
      return !caughtUp && buffer.size > 0 && listensMs < leaseMs + 2 * SETTLED_MS
    },
    hear({ data, id, item }) {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data
      const nowMs = clock.monotonic()
      if (leading === null) buffer.expire(nowMs)
      const keys = id === undefined ? [digestOf(bytes)] : [`id:${id}`, digestOf(bytes)]
      const message = buffer.hear(keys, bytes, nowMs, item)
      caughtUp ||= message === null
      if (message === null || leading === null) return Promise.resolve(null)
      if (buffer.overflowed > overflowed) {
        overflowed = buffer.overflowed
        onOverflow(overflowed)
      }
      return new Promise((resolve) => {
        waiters.set(message.n, resolve)
        leading?.pump()
      })
    },
    async lead(emit, signal, say = { caughtUp() {}, condition() {} }) {
      stopFollowing()
      const failed = new AbortController()
      const ends = AbortSignal.any([signal, failed.signal])
      const flying = new Set<Promise<void>>()
      buffer.expire(clock.monotonic())
      try {
        let troubled = false
        await catchUp(ends, (trouble) => {
          troubled = true
          say.condition(trouble)
        })
        let cursor = 0
        const pump = () => {
          while (flying.size < MOST_IN_FLIGHT && !ends.aborted) {
            const message = buffer.from(cursor)
            if (message === null) return
            cursor = message.n + 1
            const one: Promise<void> = emit({ data: message.data, id: sourceIdOf(message), item: message.item }).then(
              ({ outcome }) => {
                flying.delete(one)
                settled(message, outcome)
                pump()
              },
              (error: unknown) => {
                flying.delete(one)
                failed.abort(error)
              },
            )
            flying.add(one)
          }
        }
        leading = { pump }
        say.caughtUp()
        if (troubled) say.condition(null)
        if (buffer.size > 0) log.info('publishing what was heard and is not on the log', { messages: buffer.size })
        pump()
        await whenAborted(ends)
      } catch (error) {
        if (!ends.aborted) throw error
      } finally {
        while (flying.size > 0) await Promise.race(flying)
        leading = null
        for (const done of waiters.values()) done(null)
        waiters.clear()
        void follow()
      }
      if (!signal.aborted && failed.signal.aborted) throw failed.signal.reason
    },
    wrote(seq) {
      seen = Math.max(seen ?? 0, seq)
    },
  }
}

const DIGEST = /^heard:([0-9a-f]{32}):/

/** 32 hex digits, the head of SHA-256. */
function digestOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 32)
}

/** Equal messages are different events; what they have in common is the digest that a standby looks for. */
function sourceIdOf({ keys: [key = ''] }: Message<Item>): string {
  return key.startsWith('id:') ? key.slice(3) : `heard:${key}:${randomBytes(8).toString('hex')}`
}

/** The key of an event of Argo Events' Pods, whose ids say nothing: its payload is the one that we would make. Null when it is no event. */
function contentOf({ event }: Stored): string | null {
  try {
    return digestOf(eventData(decodeEvent(event)))
  } catch {
    return null
  }
}

/** The key of an event on the log, or null when it is of the entry as it was before. */
function keyOf(sourceId: string | undefined, fingerprint: string): string | null {
  const prefix = fingerprint === '' ? '' : `${fingerprint}/`
  if (sourceId === undefined || !sourceId.startsWith(prefix)) return null
  const id = sourceId.slice(prefix.length)
  return DIGEST.exec(id)?.[1] ?? `id:${id}`
}
