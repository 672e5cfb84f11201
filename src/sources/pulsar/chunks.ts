/** Puts messages together that their producers have sent in chunks: entries of the broker that lie among others. */
import type { Chunk, Entry } from './entry.ts'

/** Messages of which chunks are missing, in all partitions together. */
export const MOST_INCOMPLETE = 100
/** Bytes of those messages, as their producers state them. */
export const MOST_INCOMPLETE_BYTES = 128 << 20
/** What a chunk costs beside its payload, bytes. */
const CHUNK_BYTES = 256

/** An incomplete message is looked at so often. */
export const LOOK_MS = 10_000
/** It is given up at the look after so many without a further chunk: a minute, as in Pulsar's own clients. */
const LOOKS = 6
/** Messages that are done with, whose chunks their producer may send again. */
const REMEMBERED = 1_000
/** Messages that found no room; their chunks stay with the broker. */
const MOST_WAITING = 10_000

/** What the incomplete messages of all partitions take. */
export interface Room {
  messages: number
  bytes: number
}

export interface Assembly {
  /** @returns what can be handled now: the message when this was its last chunk. Null: the chunk is kept, or stays with the broker */
  add(chunk: Chunk): Entry | null
  /** To be called every {@link LOOK_MS} in which the broker could send. @returns messages that are given up; their permits are spent already */
  look(): Entry[]
  /** There was no room for some, and now there is: the broker must give again what is not acknowledged. */
  crowded(): boolean
}

interface Incomplete {
  payloads: Map<number, Uint8Array>
  /** Of all chunks that came, also of those that came twice. */
  entries: Entry[]
  last: Chunk | null
  count: number
  /** Bytes that came. */
  bytes: number
  /** Bytes of the room that it takes. */
  taken: number
  looks: number
}

export function assemble(room: Room): Assembly {
  const incomplete = new Map<string, Incomplete>()
  const done = new Set<string>()
  const waiting = new Set<string>()
  let waitingLooks = 0

  const finish = (message: string): void => {
    const one = incomplete.get(message)
    if (one !== undefined) {
      incomplete.delete(message)
      room.messages--
      room.bytes -= one.taken
    }
    done.add(message)
    for (const oldest of done) {
      if (done.size <= REMEMBERED) break
      done.delete(oldest)
    }
  }
  const begun = ({ message, count }: Chunk, taken: number): Incomplete => {
    const one: Incomplete = { payloads: new Map(), entries: [], last: null, count, bytes: 0, taken, looks: 0 }
    incomplete.set(message, one)
    room.messages++
    room.bytes += taken
    return one
  }
  /** @param entry one of them, which it stands for */
  const all = ({ entries, bytes }: Incomplete, entry: Entry): Entry => ({
    ...entry,
    messageIds: entries.flatMap(({ messageIds }) => messageIds),
    bytes,
  })

  return {
    add(chunk) {
      const { message, index, count, total, payload, entry } = chunk
      if (done.has(message)) return { ...entry, messages: [] }
      if (waiting.has(message)) return null
      if (index < 0 || index >= count) return { ...entry, reason: new Error(`it is chunk ${index} of ${count}`) }
      const taken = total + count * CHUNK_BYTES
      if (total < 0 || taken > MOST_INCOMPLETE_BYTES) {
        finish(message)
        return { ...entry, reason: new Error(`${total} bytes in ${count} chunks are too many`) }
      }
      const full = room.messages >= MOST_INCOMPLETE || room.bytes + taken > MOST_INCOMPLETE_BYTES
      const known = incomplete.get(message)
      if (known === undefined && full) {
        waiting.add(message)
        return null
      }
      const one = known ?? begun(chunk, taken)
      one.looks = 0
      one.entries.push(entry)
      if (one.payloads.has(index)) return null
      // The frame that it lies in may be much larger.
      one.payloads.set(index, new Uint8Array(payload))
      one.bytes += payload.length
      if (index === count - 1) one.last = chunk
      if (one.bytes <= total && one.payloads.size < count) return null
      finish(message)
      if (one.bytes !== total)
        return { ...all(one, entry), reason: new Error(`its chunks are ${one.bytes} bytes, not ${total}`) }
      const inOrder = Array.from({ length: count }, (_, i) => one.payloads.get(i)!)
      return all(one, one.last!.whole(Buffer.concat(inOrder)))
    },
    look() {
      const givenUp: Entry[] = []
      for (const [message, one] of incomplete) {
        if (one.looks++ < LOOKS) continue
        finish(message)
        const reason = new Error(`${one.count - one.payloads.size} of its ${one.count} chunks do not come`)
        givenUp.push({ ...all(one, one.entries[0]!), permits: 0, reason })
      }
      if (waiting.size > 0) waitingLooks++
      return givenUp
    },
    crowded() {
      if (waiting.size === 0) return false
      const half = room.messages <= MOST_INCOMPLETE / 2 && room.bytes <= MOST_INCOMPLETE_BYTES / 2
      return half || waitingLooks > LOOKS || waiting.size > MOST_WAITING
    },
  }
}
