/** A holder of a transactional id: what it writes is one transaction at a time, until somebody takes the next epoch. */
import { fail, isVedetteError, type VedetteError } from '../../core/errors.ts'
import type { Consumed } from '../../source.ts'
import type { Message } from './message.ts'
import type { Producer, Transactional } from './producer.ts'

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

/** @param asking told which broker is asked for the epoch, each time. @throws BUS_UNAVAILABLE; what `asking` throws */
export async function beginTransactions(
  producer: Producer,
  transactionalId: string,
  asking?: (node: number) => void,
): Promise<Transactions> {
  let doubt = false
  let identity: Transactional = {
    ...(await producer.init(transactionalId, asking)),
    transactionalId,
    doubted() {
      doubt = true
    },
  }
  let sequences = new Map<string, number>()
  let ended: VedetteError | null = null
  let last: Promise<unknown> = Promise.resolve()
  /** A request that was asked again may come late, and would then touch the next transaction, or end it half done: it is refused from now on. */
  const leaveBehind = async () => {
    doubt = false
    try {
      identity = await producer.renew(identity)
      sequences = new Map()
    } catch (error) {
      // What was written is there; nothing more will be.
      ended ??= isVedetteError(error) ? error : fail('OUTCOME_UNKNOWN', String(error))
    }
  }
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
      if (doubt) await leaveBehind()
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
