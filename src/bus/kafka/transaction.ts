/** A holder of a transactional id: what it writes is one transaction at a time, until somebody takes the next epoch. */
import { fail, isVedetteError, type VedetteError } from '../../core/errors.ts'
import type { Consumed } from '../../source.ts'
import type { Message } from './message.ts'
import type { Producer } from './producer.ts'

export interface Transactions {
  /**
   * Writes all of the messages or none, and with them what consumer groups have consumed.
   * @param refused told of a group whose offsets the broker does not take; the messages are written without them
   * @returns their offsets. @throws FENCED when certainly nothing is stored; OUTCOME_UNKNOWN, and after it always that
   */
  write(messages: Message[], consumed?: Consumed[], refused?: (group: string, why: string) => void): Promise<number[]>
  /** Writes nothing more. */
  end(error: VedetteError): void
}

/** @throws BUS_UNAVAILABLE */
export async function beginTransactions(producer: Producer, transactionalId: string): Promise<Transactions> {
  const identity = { ...(await producer.init(transactionalId)), transactionalId }
  const sequences = new Map<string, number>()
  let ended: VedetteError | null = null
  let last: Promise<unknown> = Promise.resolve()
  const one: Transactions['write'] = async (messages, consumed = [], refused = () => {}) => {
    if (ended !== null) throw ended
    if (messages.length === 0) return []
    try {
      await producer.add(identity, messages)
      const consuming = async () => {
        for (const each of consumed) {
          const why = await producer.addConsumed(identity, each)
          if (why !== null) refused(each.group, why)
        }
      }
      const [offsets] = await Promise.all([producer.produce(identity, messages, sequences), consuming()])
      await producer.commit(identity)
      return offsets
    } catch (error) {
      // Where the open transaction stands is not known: only the next epoch is sure to begin anew.
      ended = isVedetteError(error) ? error : fail('OUTCOME_UNKNOWN', String(error))
      throw ended
    }
  }
  return {
    write(...given) {
      const written = last.then(() => one(...given))
      last = written.catch(() => {})
      return written
    },
    end(error) {
      ended ??= error
    },
  }
}
