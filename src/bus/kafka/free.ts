/** Appends of active-active entries: an idempotent producer, which stores no repetition of its own twice. Other repetitions it does not know. */
import { fail, isVedetteError } from '../../core/errors.ts'
import type { Outcome } from '../bus.ts'
import type { Message } from './message.ts'
import { type Identity, nextEpoch, type Producer } from './producer.ts'

export interface FreeAppender {
  /** @returns an outcome for each message, which `stored` gives its offset. Never rejects */
  append(messages: Message[], stored: (message: Message, offset: number) => Outcome): Promise<Outcome[]>
}

interface Waiting {
  messages: Message[]
  resolve: (offsets: number[]) => void
  reject: (error: unknown) => void
}

/** Messages in memory; more are refused. */
const MAX_WAITING = 20_000

/** Collects while a batch is in flight. */
export function createFreeAppender(producer: Producer): FreeAppender {
  let waiting: Waiting[] = []
  let count = 0
  let busy = false
  let identity: Identity | null = null
  let sequences = new Map<string, number>()
  const run = async () => {
    if (busy) return
    busy = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        identity ??= await producer.init()
        const offsets = await producer.produce(
          identity,
          batch.flatMap(({ messages }) => messages),
          sequences,
        )
        let at = 0
        for (const { messages, resolve } of batch) {
          resolve(offsets.slice(at, at + messages.length))
          at += messages.length
        }
      } catch (error) {
        // A late copy of what failed is of an older epoch from now on. For that no broker need be asked: it may be silent.
        identity = identity === null || isVedetteError(error, 'FENCED') ? null : nextEpoch(identity)
        sequences = new Map()
        for (const { reject } of batch) reject(error)
      }
      count -= batch.reduce((sum, { messages }) => sum + messages.length, 0)
    }
    busy = false
  }
  return {
    async append(messages, stored) {
      if (count + messages.length > MAX_WAITING && count > 0) {
        const error = fail('BUS_BUSY', 'too many events wait for the bus')
        return messages.map(() => ({ outcome: 'unavailable', error }))
      }
      count += messages.length
      try {
        const offsets = await new Promise<number[]>((resolve, reject) => {
          waiting.push({ messages, resolve, reject })
          void run()
        })
        return messages.map((message, i) => stored(message, offsets[i]!))
      } catch (error) {
        const known = isVedetteError(error) ? error : fail('OUTCOME_UNKNOWN', String(error))
        const outcome = known.code === 'BUS_UNAVAILABLE' ? 'unavailable' : 'unknown'
        return messages.map(() => ({ outcome, error: known }))
      }
    },
  }
}
