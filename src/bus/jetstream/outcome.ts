/** What the stream's answers mean. Codes: https://github.com/nats-io/nats-server/blob/main/server/errors.json, those below measured. */
import type { PubAck } from '../../clients/nats-acks.ts'
import { fail } from '../../core/errors.ts'
import type { Outcome } from '../bus.ts'

export const code = {
  /** The subject's last sequence is another one: the only answer that proves a newer term. */
  wrongLastSequence: 10071,
  /** A member of an atomic batch was stored before, or stands in it twice. */
  duplicateInBatch: 10201,
  /** The same id is being stored right now: it is asked again. */
  duplicateInProcess: 10158,
  /** Something else that compares this subject is being stored right now; proves nothing. */
  unsettledSequence: 10164,
  /** Too many batches are open on the stream. */
  tooManyBatches: 10176,
  messageTooLarge: 10054,
} as const

/** The outcome of one message, or of each member of a batch, that was not stored. */
export function refusal({ error }: PubAck): Outcome | null {
  if (error === undefined) return null
  const { err_code, description } = error
  switch (err_code) {
    case code.wrongLastSequence:
      return { outcome: 'fenced', error: fail('FENCED', `the stream has a newer term record: ${description}`) }
    case code.messageTooLarge:
      return { outcome: 'refused', error: fail('EVENT_TOO_LARGE', `the stream refused it: ${description}`) }
    case code.tooManyBatches:
    case code.duplicateInProcess:
    case code.unsettledSequence:
      return { outcome: 'unavailable', error: fail('BUS_BUSY', description) }
    default:
      // The stream decided not to store it: full (discard new), without resources, without quorum, being changed.
      return {
        outcome: 'unavailable',
        error: fail(
          /maximum|exceed|insufficient|resource/i.test(description) ? 'BUS_FULL' : 'BUS_UNAVAILABLE',
          `${description} (${err_code})`,
        ),
      }
  }
}

/** Whether it stands in the way of all that comes after it. */
export const ends = ({ outcome }: Outcome): boolean =>
  outcome === 'fenced' || outcome === 'unknown' || outcome === 'unavailable'
