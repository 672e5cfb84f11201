/** Small values on the state topic. Kafka compares nothing: who writes takes the epoch of the key's transactional id, then reads, then commits. */
import { randomUUID } from 'node:crypto'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError } from '../../core/errors.ts'
import type { KeyValue } from '../bus.ts'
import type { Producer } from './producer.ts'
import { type State, stateMessage } from './state.ts'
import { beginTransactions } from './transaction.ts'

export interface KvParts {
  producer: Producer
  state: State
}

const keyOf = (key: string): string => `kv/${key}`
/** Whose epoch is held by who writes this key. @param topic of the state */
export const kvTransactionalId = (topic: string, key: string): string => `${topic}/${keyOf(key)}`

const PATIENCE_MS = 20_000
const PAUSE = { firstMs: 10, maxMs: 500, jitter: 1 }

/** @param live @throws BUS_UNAVAILABLE */
export function kafkaKv(live: () => KvParts, clock: Clock): KeyValue {
  const read = async (key: string) => (await live().state.read()).get(keyOf(key))
  /** @returns the revision, or null when it had another */
  const write = async (key: string, value: Buffer | null, expected: number | undefined): Promise<number | null> => {
    const nonce = randomUUID()
    const deadline = clock.monotonic() + PATIENCE_MS
    for (let attempt = 0; ; attempt++) {
      const { producer, state } = live()
      const transactions = await beginTransactions(producer, kvTransactionalId(state.topic, key))
      const now = await read(key)
      if (attempt > 0 && now?.nonce === nonce) return now.revision
      if (expected !== undefined && (now?.revision ?? 0) !== expected) return null
      try {
        const [offset] = await transactions.write([stateMessage(state.topic, keyOf(key), value, nonce)])
        return offset! + 1
      } catch (error) {
        // Somebody else writes the same key, or the answer was lost: look again.
        if (!isVedetteError(error, 'FENCED', 'OUTCOME_UNKNOWN')) throw error
        if (clock.monotonic() > deadline) throw fail('BUS_UNAVAILABLE', `${key} could not be written: ${error.message}`)
        await clock.sleep(backoffMs(attempt, PAUSE))
      }
    }
  }
  return {
    async get(key) {
      const found = await read(key)
      return found === undefined ? null : { value: found.value, revision: found.revision }
    },
    put: (key, value, expected) => write(key, Buffer.from(value), expected),
    async delete(key) {
      await write(key, null, undefined)
    },
  }
}
