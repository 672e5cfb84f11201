/** What happens to a message that can never become an event: rejected, where the queue has a place for such; else as the spec says. */
import type { Clock } from '../../core/clock.ts'
import { rejectedIds } from '../queues/rejected-ids.ts'
import type { Held, HeldMessages } from './held.ts'
import type { Queue } from './queue.ts'

/** A redrive policy that is added or removed is known after so long. */
export const LOOK_MS = 30_000

/** `unreadable`: no event can be made of it. `refused`: the bus will never take the event. */
export type Reason = 'unreadable' | 'refused'

export interface DeadLetters {
  /** True for a message that was left before: it comes again until the redrive policy moves it. */
  knows(message: Held): boolean
  /** What `dispose` will do, a sentence. */
  fateFor(reason: Reason): string
  /** Whether it stays in the queue; else it is to be deleted. */
  keeps(reason: Reason): boolean
  /** Gives it back to the queue. Never rejects. */
  leave(message: Held): Promise<void>
  /** Keeps looking at the queue's policy until `signal` aborts. */
  follow(signal: AbortSignal): Promise<void>
}

/** @param dlq of the spec: what is unreadable is left, whatever the queue has */
export async function deadLetters({
  queue,
  held,
  dlq,
  clock,
  signal,
}: {
  queue: Queue
  held: HeldMessages
  dlq: boolean
  clock: Clock
  signal: AbortSignal
}): Promise<DeadLetters> {
  const left = rejectedIds()
  let redrives = await queue.redrives(signal)
  const keeps = (reason: Reason) => redrives === true || dlq || reason === 'refused'
  return {
    knows: ({ id }) => left.has(id),
    keeps,
    fateFor(reason) {
      if (redrives === true) return "it is left to the queue's redrive policy, which moves it to the dead-letter queue"
      if (keeps(reason))
        return redrives === null
          ? "it is left to the queue's redrive policy, if it has one"
          : 'it is left in the queue, which has no redrive policy: it comes again until its retention removes it'
      return redrives === null
        ? 'it is deleted (dlq: true would have kept it)'
        : 'it is deleted, since the queue has no redrive policy (dlq: true would have kept it)'
    },
    async leave(message) {
      left.add(message.id)
      // Received again at once, it is moved soon; without a policy it comes back when it is no longer hidden.
      if (redrives === true) await held.show([message])
    },
    async follow(signal) {
      while (!signal.aborted) {
        await clock.sleep(LOOK_MS, signal).catch(() => {})
        if (!signal.aborted) redrives = (await queue.redrives(signal)) ?? redrives
      }
    },
  }
}
