/** The messages this replica has received and not yet deleted: hidden from others for as long as it has them. */
import type { Message } from '@aws-sdk/client-sqs'
import type { Clock } from '../../core/clock.ts'
import { isAbort } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { awsErrorText } from '../aws/aws.ts'
import { BATCH, type Queue } from './queue.ts'

/**
 * For how long a received message is hidden, seconds. Renewed while it is held, so it only says when the messages of a
 * killed replica come back.
 */
export const HIDDEN_SECONDS = 30
/** What has been hidden for so long is hidden anew, milliseconds. */
const RENEW_MS = 5_000
const PARALLEL = 8
export const MAX_MESSAGES = 1_000
export const MAX_BYTES = 64 * 2 ** 20

export interface Held {
  readonly id: string
  readonly message: Message
  readonly bytes: number
  /** The newest receipt: an older one may not delete it. */
  receipt: string
  /** Monotonic, when it was last hidden. */
  hiddenMs: number
}

export interface HeldMessages {
  /** Keeps a message. @returns null when it is held already and only its receipt is newer, or when it has no identity */
  add(message: Message): Held | null
  drop(held: Held): void
  /** Shows them to other replicas at once. Never rejects: what cannot be shown comes back by itself. */
  show(held: Held[]): Promise<void>
  /** Hides all that is held anew, in time, until `signal` aborts. */
  keepHidden(signal: AbortSignal): Promise<void>
  readonly full: boolean
}

export function holdMessages({ queue, clock, log }: { queue: Queue; clock: Clock; log: Logger }): HeldMessages {
  const all = new Map<string, Held>()
  let bytes = 0

  const hide = async (some: Held[], seconds: number): Promise<void> => {
    const batches = Array.from({ length: Math.ceil(some.length / BATCH) }, (_, i) =>
      some.slice(i * BATCH, (i + 1) * BATCH),
    )
    const work = async () => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
        const now = clock.monotonic()
        const refused = await queue.hide(
          batch.map(({ receipt }) => receipt),
          seconds,
        )
        for (const one of batch) one.hiddenMs = now
        for (const { message } of refused) log.debug('a message could not be kept hidden', { error: message })
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL, batches.length) }, work))
  }

  return {
    add(message) {
      const { MessageId: id, ReceiptHandle: receipt, Body = '' } = message
      if (id === undefined || receipt === undefined) return null
      const hiddenMs = clock.monotonic()
      const before = all.get(id)
      if (before !== undefined) {
        before.receipt = receipt
        before.hiddenMs = hiddenMs
        return null
      }
      const held: Held = { id, message, receipt, hiddenMs, bytes: Body.length }
      all.set(id, held)
      bytes += held.bytes
      return held
    },
    drop(held) {
      if (all.delete(held.id)) bytes -= held.bytes
    },
    show: (some) =>
      hide(some, 0).catch((error: unknown) => {
        log.debug('messages could not be given back; they are shown again by themselves', {
          error: awsErrorText(error),
        })
      }),
    async keepHidden(signal) {
      while (!signal.aborted) {
        await clock.sleep(RENEW_MS, signal).catch(() => {})
        if (signal.aborted) return
        const due = [...all.values()].filter(({ hiddenMs }) => clock.monotonic() - hiddenMs >= RENEW_MS)
        await hide(due, HIDDEN_SECONDS).catch((error: unknown) => {
          if (!isAbort(error)) log.debug('messages could not be kept hidden', { error: awsErrorText(error) })
        })
      }
    },
    get full() {
      return all.size >= MAX_MESSAGES || bytes >= MAX_BYTES
    },
  }
}
