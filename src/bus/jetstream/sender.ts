/** Puts messages onto the stream: single ones and atomic batches. What passes by itself within moments is repeated here. */
import type { Acks, PubAck } from '../../clients/nats-acks.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { randomId } from '../../core/event.ts'
import type { Sender } from './fence.ts'
import type { Message } from './message.ts'
import { code } from './outcome.ts'
import { header } from './record.ts'

/** Answers that say "not stored, ask again in a moment". */
const PASSING: ReadonlySet<number> = new Set([code.tooManyBatches, code.duplicateInProcess, code.unsettledSequence])
const IN_PROCESS = 'a message with the same id is being stored right now'
const TRIES = 10
const PAUSE = { firstMs: 1, maxMs: 200 }

export function createSender(acks: Pick<Acks, 'request' | 'publish'>, clock: Clock): Sender {
  const sendBatch = (messages: Message[]): Promise<PubAck> => {
    const batch = randomId()
    const last = messages.length - 1
    for (const [i, { subject, payload, headers }] of messages.entries()) {
      const numbered = { ...headers, [header.batchId]: batch, [header.batchSequence]: i + 1 }
      if (i === last) return acks.request(subject, payload, { ...numbered, [header.batchCommit]: 1 })
      acks.publish(subject, payload, numbered)
    }
    throw fail('BUG', 'an empty batch')
  }

  /**
   * nats-server before 2.12 calls a message a duplicate as soon as another one with its id has been proposed, with sequence 0 until that one is
   * stored (server/jetstream_cluster.go, `processClusteredInboundMsg`): if its leader falls, neither is on the stream.
   */
  const storedOrNot = (ack: PubAck): PubAck =>
    ack.duplicate === true && ack.seq === 0
      ? { ...ack, error: { code: 409, err_code: code.duplicateInProcess, description: IN_PROCESS } }
      : ack

  const patient = async (send: () => Promise<PubAck>, passing: (errorCode: number) => boolean): Promise<PubAck> => {
    for (let attempt = 0; ; attempt++) {
      const ack = storedOrNot(await send())
      if (ack.error === undefined || attempt === TRIES || !passing(ack.error.err_code)) return ack
      await clock.sleep(backoffMs(attempt, PAUSE))
    }
  }

  return {
    single: ({ subject, payload, headers }) =>
      patient(
        () => acks.request(subject, payload, headers),
        (errorCode) => PASSING.has(errorCode),
      ),
    // A batch with an id that is being stored is taken apart by the caller.
    batch: (messages) =>
      patient(
        async () => sendBatch(messages),
        (errorCode) => PASSING.has(errorCode) && errorCode !== code.duplicateInProcess,
      ),
  }
}
