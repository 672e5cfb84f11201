/** Deletes messages in batches: what is to be deleted while requests are on their way makes the next batches. */
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { awsErrorText } from '../aws/aws.ts'
import type { Held } from './held.ts'
import { BATCH, type Queue } from './queue.ts'

const REQUESTS_IN_FLIGHT = 8

export interface Remover {
  remove(held: Held): void
  /** Resolves when all that was to be deleted is. */
  drain(): Promise<void>
  /** Gives up: what is left comes back, and is recognised by its id. */
  close(): void
}

/** @param onGone a message is deleted, or cannot be: it is held no more */
export function createRemover({
  queue,
  clock,
  log,
  onGone,
}: {
  queue: Queue
  clock: Clock
  log: Logger
  onGone: (held: Held) => void
}): Remover {
  let waiting: Held[] = []
  let requests = 0
  let failures = 0
  let scheduled = false
  let closed = false
  let cancelRetry: (() => void) | null = null
  const drained: (() => void)[] = []

  const removeBatch = async (batch: Held[]): Promise<void> => {
    requests++
    try {
      const receipts = batch.map(({ receipt }) => receipt)
      const refused = new Map((await queue.remove(receipts)).map((refusal) => [refusal.receipt, refusal]))
      failures = 0
      for (const [i, held] of batch.entries()) {
        const refusal = refused.get(receipts[i]!)
        if (refusal?.again === true || (refusal !== undefined && held.receipt !== receipts[i])) waiting.push(held)
        else {
          if (refusal !== undefined)
            log.warn('a stored message could not be deleted', { messageId: held.id, error: refusal.message })
          onGone(held)
        }
      }
    } catch (error) {
      waiting.push(...batch)
      if (failures++ === 0)
        log.warn('stored messages could not be deleted; trying again', { error: awsErrorText(error) })
    }
    requests--
    if (failures === 0) pump()
    else if (!closed) cancelRetry ??= clock.after(backoffMs(failures, { maxMs: 5_000 }), retry)
    if (waiting.length === 0 && requests === 0) for (const done of drained.splice(0)) done()
  }

  const retry = () => {
    cancelRetry = null
    pump()
  }

  const pump = () => {
    scheduled = false
    while (!closed && cancelRetry === null && waiting.length > 0 && requests < REQUESTS_IN_FLIGHT) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      // Never rejects.
      void removeBatch(batch)
    }
  }

  return {
    remove(held) {
      waiting.push(held)
      if (scheduled) return
      scheduled = true
      // One turn of the event loop gathers what the bus answered together.
      clock.soon(pump)
    },
    drain: () =>
      waiting.length === 0 && requests === 0 ? Promise.resolve() : new Promise((done) => drained.push(done)),
    close() {
      closed = true
      cancelRetry?.()
      for (const done of drained.splice(0)) done()
    },
  }
}
