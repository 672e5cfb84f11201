import { type AckWindow, ackWindow } from './ack-window.ts'

/** Begins work on an event beside that on others, in order; waits while there is too much. */
export type Hand = (work: () => Promise<unknown>) => Promise<void>

/** Work on events of an origin that wants no acknowledgement. @param limit how many at once */
export function sideBySide(limit: number): Pick<AckWindow<null>, 'failed' | 'settled'> & { hand: Hand } {
  const window = ackWindow<null>(() => {})
  return {
    failed: window.failed,
    settled: window.settled,
    async hand(work) {
      window.add(null, async () => {
        await work()
        return 'published'
      })
      await window.room(limit)
    },
  }
}
