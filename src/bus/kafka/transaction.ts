/** A holder of a transactional id: what it writes is one transaction at a time, until somebody takes the next epoch. */
import { fail, isVedetteError, type VedetteError } from '../../core/errors.ts'
import type { Message } from './message.ts'
import type { Producer } from './producer.ts'

export interface Transactions {
  /**
   * Writes all of the messages or none.
   * @returns their offsets. @throws FENCED when certainly nothing is stored; OUTCOME_UNKNOWN, and after it always that
   */
  write(messages: Message[]): Promise<number[]>
  /** Writes nothing more. */
  end(error: VedetteError): void
}

/** @throws BUS_UNAVAILABLE */
export async function beginTransactions(producer: Producer, transactionalId: string): Promise<Transactions> {
  const identity = { ...(await producer.init(transactionalId)), transactionalId }
  const sequences = new Map<string, number>()
  let ended: VedetteError | null = null
  let last: Promise<unknown> = Promise.resolve()
  const one = async (messages: Message[]): Promise<number[]> => {
    if (ended !== null) throw ended
    if (messages.length === 0) return []
    try {
      await producer.add(identity, messages)
      const offsets = await producer.produce(identity, messages, sequences)
      await producer.commit(identity)
      return offsets
    } catch (error) {
      // Where the open transaction stands is not known: only the next epoch is sure to begin anew.
      ended = isVedetteError(error) ? error : fail('OUTCOME_UNKNOWN', String(error))
      throw ended
    }
  }
  return {
    write(messages) {
      const written = last.then(() => one(messages))
      last = written.catch(() => {})
      return written
    },
    end(error) {
      ended ??= error
    },
  }
}
