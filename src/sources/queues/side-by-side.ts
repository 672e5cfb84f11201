import { type AckWindow, ackWindow } from './ack-window.ts'

/** Begins work on an event beside that on others, in order; waits while there is too much. */
export type Hand = (work: () => Promise<unknown>) => Promise<void>

export interface SideBySide extends Pick<AckWindow<null>, 'failed' | 'settled'> {
  hand: Hand
  /** Resolves when all that was handed over is done. Rejects with the first failure: what is written down then must not count it as done. */
  done(): Promise<void>
}

/** Work on events of an origin that wants no acknowledgement. @param limit how many at once */
export function sideBySide(limit: number): SideBySide {
  const window = ackWindow<null>(() => {})
  return {
    failed: window.failed,
    settled: window.settled,
    async done() {
      await window.settled()
      // In this order: what has failed by now wins.
      await Promise.race([window.failed, Promise.resolve()])
    },
    async hand(work) {
      window.add(null, async () => {
        await work()
        return 'published'
      })
      await window.room(limit)
    },
  }
}
