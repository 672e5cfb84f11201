/** Long reads of many clients, a step at a time: what a commit waits for is one step, however many read and however much. */
import type { Clock } from '../../core/clock.ts'
import type { Steps } from './reading.ts'

export interface Turns {
  /** Does a read of this client after those that it has asked for before; the clients take turns. */
  add(client: object, read: Steps<void>): void
  /** The client does not take its answers: its reads wait until {@link resume}. */
  hold(client: object): void
  resume(client: object): void
  /** The client has gone, and nothing is read for it any more. */
  forget(client: object): void
}

/** @param first called before each step: what goes before reading */
export function takeTurns(clock: Pick<Clock, 'soon'>, first: () => void): Turns {
  /** In the order of the turns. */
  const waiting = new Map<object, Steps<void>[]>()
  const held = new Set<object>()
  let scheduled = false

  const nextClient = (): object | undefined => waiting.keys().find((client) => !held.has(client))

  function step() {
    scheduled = false
    first()
    const client = nextClient()
    const reads = client === undefined ? undefined : waiting.get(client)
    if (client === undefined || reads === undefined) return
    waiting.delete(client)
    if (reads[0]?.next().done !== false) reads.shift()
    if (reads.length > 0) waiting.set(client, reads)
    schedule()
  }

  function schedule() {
    if (scheduled || nextClient() === undefined) return
    scheduled = true
    // after all sockets that are readable now have been read
    clock.soon(step)
  }

  return {
    add(client, read) {
      const reads = waiting.get(client)
      if (reads === undefined) waiting.set(client, [read])
      else reads.push(read)
      schedule()
    },
    hold: (client) => void held.add(client),
    resume(client) {
      held.delete(client)
      schedule()
    },
    forget(client) {
      waiting.delete(client)
      held.delete(client)
    },
  }
}
