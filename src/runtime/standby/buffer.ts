/**
 * What a replica has heard from an origin that forgets, and has not seen on the log: pure. A leader publishes from it, a standby
 * only compares. Each message has a key, the same on every replica; an event on the log takes one message of its key away, the
 * oldest. The log may be ahead of the ear: then the event is remembered for a moment and takes the message when it comes.
 */
export interface Message {
  /** Rises with each message heard; its place in this replica's order. */
  readonly n: number
  readonly key: string
  readonly data: Uint8Array
  /** Monotonic milliseconds. */
  readonly heardMs: number
}

export interface BufferLimits {
  /** Milliseconds that a message of no use to a leader is kept. */
  keepMs: number
  /** Bytes of payloads. */
  maxBytes: number
  /** Milliseconds that the log may be ahead of the ear. */
  aheadMs: number
}

export interface Buffer {
  /** @returns the message, or null when the log has it already */
  hear(key: string, data: Uint8Array, nowMs: number): Message | null
  /** An event with this key is on the log, written by somebody else. */
  logged(key: string, nowMs: number): void
  /** This replica has published it, or it needs no publishing. */
  settle(message: Message): void
  /** Drops what is older than `keepMs`. */
  expire(nowMs: number): void
  /** The first message from place `n` on, or null. */
  from(n: number): Message | null
  /** Messages that had to go because there were too many bytes, since the start. */
  readonly overflowed: number
  readonly size: number
}

/** What one message costs besides its payload, bytes; so that empty messages are bounded too. */
const OVERHEAD = 256
/** Events that the log may be ahead of the ear. */
const MOST_AHEAD = 50_000

export function createBuffer({ keepMs, maxBytes, aheadMs }: BufferLimits): Buffer {
  /** By place, in order. */
  const messages = new Map<number, Message>()
  /** Places by key, in order. */
  const places = new Map<string, number[]>()
  /** By key, until when events on the log wait for their messages, in order. */
  const ahead = new Map<string, number[]>()
  let aheadCount = 0
  let next = 0
  let bytes = 0
  let overflowed = 0

  const costOf = ({ data }: Message) => data.byteLength + OVERHEAD

  const remove = (message: Message): void => {
    if (!messages.delete(message.n)) return
    bytes -= costOf(message)
    const same = places.get(message.key)!
    if (same.length === 1) places.delete(message.key)
    else same.splice(same.indexOf(message.n), 1)
  }

  const oldest = (): Message | undefined => messages.values().next().value

  /** Takes a waiting event of this key, the oldest that is still valid. */
  const takeAhead = (key: string, nowMs: number): boolean => {
    const deadlines = ahead.get(key)
    if (deadlines === undefined) return false
    for (;;) {
      const deadline = deadlines.shift()
      if (deadlines.length === 0) ahead.delete(key)
      if (deadline === undefined) return false
      aheadCount--
      if (deadline >= nowMs) return true
    }
  }

  return {
    hear(key, data, nowMs) {
      if (takeAhead(key, nowMs)) return null
      const message: Message = { n: next++, key, data, heardMs: nowMs }
      messages.set(message.n, message)
      const same = places.get(key)
      if (same === undefined) places.set(key, [message.n])
      else same.push(message.n)
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
      const deadlines = ahead.get(key)
      if (deadlines === undefined) ahead.set(key, [nowMs + aheadMs])
      else deadlines.push(nowMs + aheadMs)
      if (++aheadCount <= MOST_AHEAD) return
      const [first] = ahead.keys()
      takeAhead(first!, Number.NEGATIVE_INFINITY)
    },
    settle: remove,
    expire(nowMs) {
      for (let first = oldest(); first !== undefined && first.heardMs < nowMs - keepMs; first = oldest()) remove(first)
      for (const [key, deadlines] of ahead) {
        while (deadlines.length > 0 && deadlines[0]! < nowMs) {
          deadlines.shift()
          aheadCount--
        }
        if (deadlines.length === 0) ahead.delete(key)
      }
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
