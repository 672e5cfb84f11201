/** Looks at the log beside the reading of it: what the bus has let go, whether it is still the same log, whether the reading stands still. */
import type { Bus } from '../../bus/bus.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { within } from '../../core/signals.ts'
import type { Account } from './account.ts'
import type { Cursor } from './cursor.ts'
import { firstFrom, goneAfter, isOther } from './place.ts'

/** Numbers that no event had: others' records, or what the bus has let go. Only the bus knows which. */
export interface Gaps {
  /** An event was read. @param from the number after the one before it. @throws what the bus throws */
  passed(from: number, to: number): Promise<void>
  /** Asks the bus about those that are open. @throws what the bus throws */
  look(): Promise<void>
  /** What lies after the cursor is accounted for; in another log all is. */
  settled(seq: number, remade: boolean): void
}

interface Parts {
  bus: Bus
  clock: Clock
  account: Account
  cursor: Cursor
}

const PATIENCE_MS = 30_000
/** The bus is asked no more often: where each transaction leaves a gap there are many. */
const GAP_LOOK_MS = 1_000

export function createGaps({ bus, clock, account, cursor }: Parts): Gaps {
  let open: [number, number][] = []
  let lookedMs = Number.NEGATIVE_INFINITY
  const gaps: Gaps = {
    async passed(from, to) {
      if (to <= from) return
      open.push([from, to])
      if (clock.monotonic() - lookedMs >= GAP_LOOK_MS) await gaps.look()
    },
    async look() {
      if (open.length === 0) return
      const [among, asked] = [open, [...open]]
      const state = await within(bus.state(), PATIENCE_MS, clock)
      if (open !== among) return
      lookedMs = clock.monotonic()
      const lost = asked.reduce((sum, [first, end]) => sum + Math.min(end - first, goneAfter(state, first - 1)), 0)
      const last = asked.at(-1)![1] - 1
      open.splice(0, asked.length)
      if (lost === 0) return
      cursor.move({ ...cursor.place, lost: cursor.place.lost + lost })
      account.lost(lost, last)
    },
    settled(seq, remade) {
      open = remade ? [] : open.filter(([first]) => first <= seq)
    },
  }
  return gaps
}

/** @param anew has the log read anew from the cursor on */
export function createLook({
  bus,
  clock,
  log,
  account,
  cursor,
  gaps,
  anew,
}: Parts & { log: Logger; gaps: Gaps; anew: () => void }): () => Promise<void> {
  /** Where an event was waited for that is there; told only when seen again, since it may be on its way. */
  let waitedAt = -1
  return async () => {
    await gaps.look()
    const state = await within(bus.state(), PATIENCE_MS, clock)
    account.head(state.lastSeq)
    const { place } = cursor
    const waitedBefore = waitedAt
    waitedAt = -1
    if (isOther(state, place)) return anew()
    if (account.inHand !== null) return account.dropping(goneAfter(state, account.inHand))
    if (state.lastSeq <= place.seq) return
    if (goneAfter(state, place.seq) > 0) return anew()
    const oldest = await within(firstFrom(bus, place.seq + 1), PATIENCE_MS, clock)
    if (account.inHand !== null || cursor.place !== place) return
    if (oldest === null) {
      // others' records, which the bus may let go without a word
      cursor.move({ ...place, seq: state.lastSeq, id: undefined })
    } else if (waitedBefore === place.seq) {
      log.warn('the reading of the log for deliveries stood still and is begun anew', { cursor: place.seq })
      anew()
    } else waitedAt = place.seq
  }
}
