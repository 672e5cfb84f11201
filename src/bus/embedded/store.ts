/**
 * The store of the embedded bus: durable, one writing process at a time, safe under kill -9 at any instant (lmdb's
 * copy-on-write needs no recovery). A process that opens it takes over: whoever had it open before can write no more.
 */
import { closeSync, existsSync, mkdirSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { openFresh } from '../../core/own-files.ts'
import { buffered } from './buffered.ts'
import { checkStore } from './check.ts'
import { damagedStore, GONE_HINT } from './encoding.ts'
import { inspectHeader } from './header.ts'
import { asStoreError, diskFull, openEnvironment } from './lmdb.ts'
import { type Mark, readMark, SEQ_GAP, writeMark } from './mark.ts'
import { forgetIds, retain } from './reading.ts'
import { beginIncarnation } from './rules.ts'
import type { Tables } from './tables.ts'

/** The layout of the tables. Raised when an older version could not read it; see `STORE_TOO_NEW`. */
export const STORE_FORMAT = 1
/** The first version of Vedette that reads this format; stored beside it, so that older versions can name it. */
const READABLE_SINCE = '0.1.0'

export interface StoreLimits {
  /** Events older than this go, milliseconds. */
  maxAgeMs: number
  /** The oldest events go when all together weigh more, bytes. */
  maxBytes: number
  /** Ids are remembered this long, milliseconds, also when their events have gone. */
  dedupMs: number
  /** The store takes no more events when its pages in use reach this, bytes; leases, terms and retention still work. */
  maxStoreBytes: number
}

export const DEFAULT_LIMITS: StoreLimits = {
  maxAgeMs: 7 * 24 * 3_600_000,
  maxBytes: 1 << 30,
  dedupMs: 24 * 3_600_000,
  maxStoreBytes: 4 * 2 ** 30,
}

export interface Store {
  readonly dir: string
  readonly incarnation: number
  /** What who runs it should know of how it was found, or null. */
  readonly notice: string | null
  /** What is committed: for reads. */
  readonly committed: Tables
  /**
   * Runs `work` in one transaction over tables that show its own writes; durable when this returns.
   * @throws BUS_FULL nothing was written; OUTCOME_UNKNOWN, STORE_CORRUPT; FENCED another process has taken over the store
   */
  transaction<T>(work: (tables: Tables) => T): T
  /** True when only leases, terms and retention are to be written. Cheap: looked up at most every 64 transactions. */
  full(): boolean
  /** Free on the disk, bytes. */
  freeBytes(): number
  /** One small step of retention and of forgetting ids. @returns true when there is more to do at once */
  tidy(nowMs: number): boolean
  close(): Promise<void>
}

const RETAIN_STEP = 1024
const SWEEP_STEP = 1024
const SWEEP_MS = 3_600_000
const USAGE_EVERY = 64
/**
 * With less than this free on the disk nothing at all is written: lmdb may crash its process after a write that failed for
 * want of space ("malloc(): invalid size" with lmdb 3.5.6), so it is not brought into that situation.
 */
export const SPARE_BYTES = 256 << 10
/** Present while a process is opening the store: found at the next start, it says that opening crashed. */
const OPENING_FILE = 'store.opening'

/**
 * Opens or creates the store in `dir` and begins an incarnation.
 * @param check looks through the whole store first, in a child process: for after a crash of the bus process itself
 * @param onStep told, in words, what is being done, over and over while a long step goes on
 * @throws STORE_CORRUPT, STORE_TOO_NEW, FENCED (`incarnation` has ended), BUS_FULL, BUS_UNAVAILABLE
 */
export async function openStore({
  dir,
  incarnation: wanted,
  check = false,
  onStep = () => {},
  ...limits
}: Partial<StoreLimits> & {
  dir: string
  incarnation: number | 'next'
  check?: boolean
  onStep?: (step: string) => void
}): Promise<Store> {
  const { maxAgeMs, maxBytes, dedupMs, maxStoreBytes } = { ...DEFAULT_LIMITS, ...limits }
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (freeBytes(dir) < SPARE_BYTES) throw diskFull()
  await refuseDamaged(dir, check, onStep)
  onStep('opening the store')
  const marker = join(dir, OPENING_FILE)
  const environment = marked(marker, () => openEnvironment(dir, { mapBytes: 2 * maxStoreBytes }))
  const { tables, flush, reset } = buffered(environment.tables)

  /** Written by each process that opens: finding another's number means that this one is over. */
  let generation = 0
  function transaction<T>(work: (tables: Tables) => T): T {
    try {
      return environment.transaction(() => {
        if (generation !== 0 && environment.tables.meta.get('generation') !== generation) {
          throw fail('FENCED', `another process has taken over the store in ${dir}`)
        }
        const result = work(tables)
        flush()
        return result
      })
    } catch (error) {
      reset()
      throw error
    }
  }

  let incarnation: number
  let notice: string | null
  let markedSeq = 0
  const mark = () => {
    markedSeq = environment.tables.meta.get('seq')
    writeMark(dir, { incarnation, seq: markedSeq }, new Date(systemClock.now()))
  }
  try {
    ;[incarnation, generation, notice] = transaction((tables) => {
      checkFormat(tables, dir)
      const next = tables.meta.get('generation') + 1
      tables.meta.put('generation', next)
      const caughtUp = catchUp(tables, readMark(dir))
      return [beginIncarnation(tables, wanted), next, caughtUp]
    })
    mark()
  } catch (error) {
    await environment.close()
    throw asStoreError(error, dir)
  } finally {
    rmSync(marker, { force: true })
  }

  /** Long before the numbers given since then are more than a repair would leave out. */
  function markFromTimeToTime() {
    if (environment.tables.meta.get('seq') - markedSeq < SEQ_GAP / 2) return
    try {
      mark()
    } catch {
      // a full disk, most probably: again the next time
    }
  }

  /** @returns whether there may be more to let go. Looked at before a transaction is begun: mostly there is nothing to do. */
  function dropOverdue(nowMs: number): boolean {
    const { tables: committed } = environment
    if (!overdue(committed, { nowMs, maxAgeMs, maxBytes })) return false
    return transaction((tables) => retain(tables, { nowMs, maxAgeMs, maxBytes, limit: RETAIN_STEP }))
  }

  let sweepAfter: string | undefined
  let sweepLeft = 0
  let sweptMs: number | null = null
  /** Looks at all ids once an hour, a few at a time. */
  function sweepSome(nowMs: number) {
    if (sweepLeft <= 0) {
      sweepLeft = Math.ceil((environment.idCount() * Math.min(nowMs - (sweptMs ?? nowMs), SWEEP_MS)) / SWEEP_MS)
      sweptMs = nowMs
    }
    const step = [...environment.tables.ids.scan(sweepAfter, SWEEP_STEP)]
    sweepLeft -= SWEEP_STEP
    sweepAfter = step.length < SWEEP_STEP ? undefined : step.at(-1)?.[0]
    if (!step.some(([, storedMs]) => nowMs - storedMs >= dedupMs)) return
    transaction((tables) => forgetIds(tables, step, { nowMs, dedupMs }))
  }

  let [transactions, isFull] = [0, false]
  return {
    dir,
    incarnation,
    notice,
    committed: environment.tables,
    transaction,
    full() {
      if (transactions++ % USAGE_EVERY === 0 || isFull) isFull = environment.usedBytes() >= maxStoreBytes
      return isFull
    },
    freeBytes: () => freeBytes(dir),
    tidy(nowMs) {
      if (freeBytes(dir) < SPARE_BYTES) return false
      markFromTimeToTime()
      const more = dropOverdue(nowMs)
      sweepSome(nowMs)
      return more || sweepLeft > 0
    },
    close: () => environment.close(),
  }
}

function freeBytes(dir: string): number {
  try {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function overdue(
  tables: Tables,
  { nowMs, maxAgeMs, maxBytes }: { nowMs: number; maxAgeMs: number; maxBytes: number },
): boolean {
  if (tables.meta.get('bytes') > maxBytes) return true
  for (const [, { timeMs }] of tables.log.range(0)) return nowMs - timeMs > maxAgeMs
  return false
}

/** The marker stays, unless there is an error: that is no crash. */
function marked<T>(marker: string, open: () => T): T {
  try {
    closeSync(openFresh(marker))
    return open()
  } catch (error) {
    rmSync(marker, { force: true })
    throw error
  }
}

/** @throws STORE_CORRUPT, BUS_UNAVAILABLE */
async function refuseDamaged(dir: string, check: boolean, onStep: (step: string) => void): Promise<void> {
  const header = inspectHeader(dir)
  if (header.state === 'missing') return
  if (header.state === 'gone') throw damagedStore(dir, header.why, {}, GONE_HINT)
  if (header.state === 'bad') throw damagedStore(dir, header.why)
  if (header.state === 'ok' && !check && !existsSync(join(dir, OPENING_FILE))) return
  const { problems } = await checkStore(dir, {
    onProgress: (at, records) => onStep(`looking through the store (${at}, ${records} events so far)`),
  })
  if (problems[0] !== undefined) throw damagedStore(dir, problems[0], { problems })
}

/**
 * A store of yesterday (a backup that was put back) goes on behind what the one before it had given: no number is given twice.
 * @returns what there is to say of it
 */
function catchUp({ meta }: Tables, mark: Mark | null): string | null {
  const had = meta.get('incarnation')
  if (mark === null || had >= mark.incarnation) return null
  const from = meta.get('seq')
  meta.put('incarnation', mark.incarnation)
  meta.put('seq', Math.max(from, mark.seq) + SEQ_GAP)
  meta.put('revision', meta.get('revision') + SEQ_GAP)
  return `the store is older than the one that was here at ${mark.written}: it ends at event ${from}, that one had come to ${mark.seq}; what came between is not in it`
}

/** @throws STORE_TOO_NEW, naming the version that can read it. Marks an empty store as of this format. */
export function checkFormat(tables: Tables, dir: string): void {
  const format = tables.meta.get('format')
  if (format === STORE_FORMAT) return
  if (format === 0) {
    tables.meta.put('format', STORE_FORMAT)
    tables.meta.put('since', versionNumber(READABLE_SINCE))
    return
  }
  throw fail(
    'STORE_TOO_NEW',
    `the store in ${dir} has format ${format}, this version reads ${STORE_FORMAT}: use vedette ${versionText(tables.meta.get('since'))} or later`,
    { format },
  )
}

function versionNumber(text: string): number {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number)
  return major * 1e6 + minor * 1e3 + patch
}

function versionText(number: number): string {
  return `${Math.floor(number / 1e6)}.${Math.floor(number / 1e3) % 1000}.${number % 1000}`
}
