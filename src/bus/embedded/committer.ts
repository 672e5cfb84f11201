/**
 * Group commit: what has come in is done in one transaction, answered once that is on disk; meanwhile more comes in. The
 * transaction is synchronous (see lmdb.ts), so what comes in meanwhile waits in the sockets and is the next group.
 */
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError, type VedetteError } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import { grows, type Operation, perform, toWireError, type WireError } from './request.ts'
import { SPARE_BYTES, type Store } from './store.ts'

export interface Write {
  operation: Operation
  input: any
  /** The client's. */
  incarnation: number
  /** What it holds in memory. */
  bytes: number
  answer(result: unknown, error: WireError | null): void
}

export interface Committer {
  /** @returns false when too much is waiting: BUS_BUSY */
  add(write: Write): boolean
  /** Does what is waiting, now. */
  flush(): void
}

const MAX_WAITING_BYTES = 64 << 20
const MAX_WAITING = 50_000
/** A transaction holds at most about this much, so that none takes long. */
const MAX_GROUP_BYTES = 16 << 20
const MAX_GROUP = 8192
/** What a byte of events may take on the disk until older pages are free again: its page, the tables' pages, the trees above. */
const GROWTH_FACTOR = 4
/** Left free on the disk for leases, terms and what is not ours. */
const RESERVE_BYTES = 1 << 20
/** After the disk was full, events are refused without a try for this long. */
const FULL_PAUSE_MS = 200
/** There is space again when nothing was refused for so much longer. */
const SPACE_AGAIN_MS = 1000

/**
 * @param onCommitted after each round of answers
 * @param onBroken the store can no longer be written: the process should end
 */
export function createCommitter({
  store,
  clock,
  dedupMs,
  log,
  onCommitted,
  onBroken,
}: {
  store: Store
  clock: Clock
  dedupMs: number
  log: Logger
  onCommitted: () => void
  onBroken: (error: VedetteError) => void
}): Committer {
  let waiting: Write[] = []
  let waitingBytes = 0
  let scheduled = false
  let fullUntil = Number.NEGATIVE_INFINITY
  let wasFull = false

  const refuse = (writes: Write[], error: VedetteError) => {
    for (const write of writes) write.answer(null, toWireError(error))
  }

  function commit(group: Write[]): void {
    const results: [unknown, WireError | null][] = []
    store.transaction((tables) => {
      const nowMs = clock.now()
      for (const { operation, input, incarnation } of group) {
        try {
          results.push([perform(tables, { nowMs, incarnation, dedupMs }, operation, input), null])
        } catch (error) {
          // Ours are answers, thrown before anything was written; any other spoils the transaction.
          if (!isVedetteError(error) || error.code === 'STORE_CORRUPT') throw error
          results.push([null, toWireError(error)])
        }
      }
    })
    for (const [i, write] of group.entries()) write.answer(...(results[i] as [unknown, WireError | null]))
  }

  function noteFull(full: boolean) {
    if (full === wasFull) return
    // A page that is free takes the one or other event though the disk is full: that is no news.
    if (!full && clock.monotonic() < fullUntil + SPACE_AGAIN_MS) return
    wasFull = full
    if (full) log.error('the store is full: no events are taken until there is space')
    else log.info('the store has space again')
  }

  /** Commits what it can of the group and answers every one. */
  function settle(group: Write[]): void {
    const freeBytes = store.freeBytes()
    const growth = group.filter((write) => grows(write.operation))
    const needed = growth.reduce((sum, { bytes }) => sum + bytes, 0) * GROWTH_FACTOR + RESERVE_BYTES
    const full = store.full() || clock.monotonic() < fullUntil || (growth.length > 0 && freeBytes < needed)
    if (!full && freeBytes >= SPARE_BYTES) {
      tryCommit(group)
      return
    }
    if (growth.length > 0) noteFull(true)
    const error = fail('BUS_FULL', 'the store is full; free space on the disk, or let less be kept')
    refuse(growth, error)
    const others = group.filter((write) => !grows(write.operation))
    if (freeBytes < SPARE_BYTES) refuse(others, error)
    else tryCommit(others)
  }

  function tryCommit(group: Write[]): void {
    if (group.length === 0) return
    try {
      commit(group)
      if (wasFull && group.some((write) => grows(write.operation))) noteFull(false)
    } catch (error) {
      const known = isVedetteError(error) ? error : fail('OUTCOME_UNKNOWN', String(error), {}, { cause: error })
      if (known.code === 'BUS_FULL' && group.some((write) => grows(write.operation))) {
        // Leases and terms find room where events do not: pages that are free.
        fullUntil = clock.monotonic() + FULL_PAUSE_MS
        settle(group)
        return
      }
      if (known.code === 'STORE_CORRUPT' && known.details.table !== undefined) {
        refuseDamaged(group, known)
        return
      }
      refuse(group, known.code === 'FENCED' ? fail('BUS_UNAVAILABLE', known.message) : known)
      if (known.code !== 'BUS_FULL') onBroken(known)
    }
  }

  /** One damaged value: those that do not need it go on without it. */
  function refuseDamaged(group: Write[], error: VedetteError) {
    if (group.length > 1) {
      for (const write of group) tryCommit([write])
      return
    }
    log.error('a damaged value in the store', { error })
    refuse(group, error)
  }

  function flush() {
    scheduled = false
    while (waiting.length > 0) {
      let [count, bytes] = [0, 0]
      while (count < waiting.length && count < MAX_GROUP && bytes < MAX_GROUP_BYTES)
        bytes += waiting[count++]?.bytes ?? 0
      const group = waiting.slice(0, count)
      waiting = waiting.slice(count)
      waitingBytes -= bytes
      settle(group)
    }
    onCommitted()
  }

  return {
    add(write) {
      if (waiting.length >= MAX_WAITING || waitingBytes + write.bytes > MAX_WAITING_BYTES) return false
      waiting.push(write)
      waitingBytes += write.bytes
      if (!scheduled) {
        scheduled = true
        // After all sockets that are readable now have been read.
        clock.soon(flush)
      }
      return true
    },
    flush,
  }
}
