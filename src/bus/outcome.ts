/** What became of a request, for adapters whose client throws: a write has an outcome, a read has none. */
import { fail, isVedetteError, messageOf } from '../core/errors.ts'
import type { Outcome } from './bus.ts'

/** The outcome of a write whose client threw this; what no code explains is `unknown`. */
export function outcomeOfError(error: unknown): Outcome {
  if (isVedetteError(error, 'FENCED')) return { outcome: 'fenced', error }
  if (isVedetteError(error, 'EVENT_TOO_LARGE', 'VALUE_TOO_LARGE', 'EVENT_INVALID')) return { outcome: 'refused', error }
  if (isVedetteError(error, 'BUS_UNAVAILABLE', 'BUS_BUSY', 'BUS_FULL', 'STORE_CORRUPT', 'SHUTTING_DOWN'))
    return { outcome: 'unavailable', error }
  if (isVedetteError(error, 'OUTCOME_UNKNOWN')) return { outcome: 'unknown', error }
  return { outcome: 'unknown', error: fail('OUTCOME_UNKNOWN', messageOf(error), {}, { cause: error }) }
}

/** The outcome of a write that is told by an error. Never rejects. */
export async function outcomeOf(write: Promise<unknown>): Promise<Outcome> {
  try {
    await write
    return { outcome: 'stored', seq: 0 }
  } catch (error) {
    return outcomeOfError(error)
  }
}

/**
 * A read changes nothing, so it has no outcome that somebody would have to find out: one that was not answered is asked again.
 * @param what is read, in words. @throws BUS_UNAVAILABLE in the place of OUTCOME_UNKNOWN and of errors without a code
 */
export async function asRead<T>(what: string, read: Promise<T>): Promise<T> {
  try {
    return await read
  } catch (error) {
    if (isVedetteError(error) && error.code !== 'OUTCOME_UNKNOWN') throw error
    throw fail('BUS_UNAVAILABLE', `${what}: ${messageOf(error)}`, {}, { cause: error })
  }
}
