/**
 * What a replica has heard from an origin that forgets, and has not seen on the log: pure. A leader publishes from it, a standby
 * only compares. Each message has a key or two, the same on every replica; an event on the log takes one message of its key away, the
 * oldest. The log may be ahead of the ear: then the event is remembered for a moment and takes the message when it comes.
 */
export interface Message<Item = unknown> {
  /** Rises with each message heard; its place in this replica's order. */
  readonly n: number
  /** What the origin calls it, where it says, and its content: those who know no ids go by that. */
  readonly keys: readonly string[]
  readonly data: Uint8Array
  /** Monotonic milliseconds. */
  readonly heardMs: number
  /** What the origin calls it. */
  readonly item?: Item | undefined
}

export interface BufferLimits {
  /** Milliseconds that a message of no use to a leader is kept. */
  keepMs: number
  /** Bytes of payloads. */
  maxBytes: number
  /** Milliseconds that the log may be ahead of the ear. */
  aheadMs: number
}

export interface Buffer<Item = unknown> {
  /** @returns the message, or null when the log has it already */
  hear(keys: readonly string[], data: Uint8Array, nowMs: number, item?: Item): Message<Item> | null
  /** An event with this key is on the log, written by somebody else. */
  logged(key: string, nowMs: number): void
  /** This replica has published it, or it needs no publishing. */
  settle(message: Message<Item>): void
  /** Drops what is older than `keepMs`. */
  expire(nowMs: number): void
  /** The first message from place `n` on, or null. */
  from(n: number): Message<Item> | null
  /** Messages that had to go because there were too many bytes, since the start. */
  readonly overflowed: number
  readonly size: number
}

/** What one message costs besides its payload, bytes; so that empty messages are bounded too. */
const OVERHEAD = 256
/** Events that the log may be ahead of the ear. */
const MOST_AHEAD = 50_000

export function createBuffer<Item = unknown>({ keepMs, maxBytes, aheadMs }: BufferLimits): Buffer<Item> {
  /** By place, in order. */
  const messages = new Map<number, Message<Item>>()
  /** Places by key, in order. */
  const places = new Map<string, number[]>()
  /** By key, since when events on the log wait for their messages, in order. */
  const ahead = new Map<string, number[]>()
  /** By key, the last message that a waiting event took, and since when that had waited. */
  const taken = new Map<string, { eventMs: number; heardMs: number }>()
  let aheadCount = 0
  let next = 0
  let bytes = 0
  let overflowed = 0

  const costOf = ({ data }: Message<Item>) => data.byteLength + OVERHEAD

  const remove = (message: Message<Item>): void => {
    if (!messages.delete(message.n)) return
    bytes -= costOf(message)
    for (const key of message.keys) {
      const same = places.get(key)!
      if (same.length === 1) places.delete(key)
      else same.splice(same.indexOf(message.n), 1)
    }
  }

  const oldest = (): Message<Item> | undefined => messages.values().next().value

  /** Takes the oldest waiting event of this key that is not too old. */
  const takeAhead = (key: string, nowMs: number): boolean => {
    const waiting = ahead.get(key)
    if (waiting === undefined) return false
    for (;;) {
      const eventMs = waiting.shift()
      if (waiting.length === 0) ahead.delete(key)
      if (eventMs === undefined) return false
      aheadCount--
      if (eventMs < nowMs - aheadMs) continue
      taken.set(key, { eventMs, heardMs: nowMs })
      return true
    }
  }

  /**
   * An event that waits may be of a message that was sent before this replica subscribed, and takes an equal one in its place; the
   * event of that one then waits in its turn. An event that comes sooner after the message than the message after the event before
   * is rather the message's own, and ends that.
   */
  const isOwnOfTaken = (key: string, nowMs: number): boolean => {
    const last = taken.get(key)
    taken.delete(key)
    return last !== undefined && nowMs - last.heardMs < last.heardMs - last.eventMs
  }

  return {
    hear(keys, data, nowMs, item) {
      if (keys.some((key) => takeAhead(key, nowMs))) return null
      const message: Message<Item> = { n: next++, keys, data, heardMs: nowMs, item }
      messages.set(message.n, message)
      for (const key of keys) {
        const same = places.get(key)
        if (same === undefined) places.set(key, [message.n])
        else same.push(message.n)
      }
      bytes += costOf(message)
      for (let first = oldest(); bytes > maxBytes && first !== undefined && first !== message; first = oldest()) {
        remove(first)
        overflowed++
      }
      return message
    },
    logged(key, nowMs) {
      const place = places.get(key)?.[0]
      if (place !== undefined) return remove(messages.get(place)!)
      if (isOwnOfTaken(key, nowMs)) return
      const waiting = ahead.get(key)
      if (waiting === undefined) ahead.set(key, [nowMs])
      else waiting.push(nowMs)
      if (++aheadCount <= MOST_AHEAD) return
      const [first] = ahead.keys()
      takeAhead(first!, Number.NEGATIVE_INFINITY)
    },
    settle: remove,
    expire(nowMs) {
      for (let first = oldest(); first !== undefined && first.heardMs < nowMs - keepMs; first = oldest()) remove(first)
      const tooOld = nowMs - aheadMs
      for (const [key, waiting] of ahead) {
        while (waiting.length > 0 && waiting[0]! < tooOld) {
          waiting.shift()
          aheadCount--
        }
        if (waiting.length === 0) ahead.delete(key)
      }
      for (const [key, { heardMs }] of taken) if (heardMs < tooOld) taken.delete(key)
    },
    from(n) {
      if (n < next && messages.has(n)) return messages.get(n)!
      for (const message of messages.values()) if (message.n >= n) return message
      return null
    },
    get overflowed() {
      return overflowed
    },
    get size() {
      return messages.size
    },
  }
}
