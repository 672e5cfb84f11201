/**
 * Looking through a store and saving what can be read of it. Both are done in a child process (check-child.ts): they take long, and
 * lmdb maps the file, so that a truncated or garbled one can end the process that touches it.
 */
import { spawn } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { watchSilence } from '../../core/silence.ts'
import { DATA_FILE, inspectHeader, LOCK_FILE } from './header.ts'
import type { StoreCheck } from './look.ts'
import { syncDirectory } from './mark.ts'
import type { WireError } from './request.ts'

export type { StoreCheck } from './look.ts'

export interface StoreRepair {
  /** Events saved. */
  records: number
  /** Events lost; null when nothing says how many there were. */
  lost: number | null
  /** What is saved and what is lost, in words. */
  text: string
  /** The directory where the damaged store lies now. */
  damaged: string
}

/** What the child says, one JSON per line. */
export type ChildLine =
  | { at: string; records: number; of: number }
  | { done: StoreCheck }
  | { rebuilt: Omit<StoreRepair, 'damaged'> }
  | { failed: WireError }

export interface ChildOrder {
  dir: string
  /** Where to save what can be read; left out: only look. */
  target?: string
  /** A bus process works on it meanwhile. */
  live?: boolean
}

export interface CheckOptions {
  /** Told what is being read or saved, how many events have been, and of how many (0: unknown), over and over while it goes on. */
  onProgress?: (at: string, records: number, of: number) => void
  clock?: Clock
  /** When nothing has been done for so long, milliseconds, it is given up: how long all of it takes does not matter. */
  silentMs?: number
  /** A bus process works on the store: it is only read. */
  live?: boolean
}

const CRASHES = /SIGSEGV|SIGBUS|SIGABRT|SIGILL/
/** A disk that gives not even some thousand records in this time is none. Less than a supervisor's patience with a bus process. */
const SILENT_MS = 15_000
/** A batch of some megabytes may have to wait until a slow disk has written what others gave it. */
const SILENT_REPAIR_MS = 120_000

/**
 * Reads every page and record, and tries whether lmdb can write. A store that is missing is sound.
 * @throws BUS_UNAVAILABLE reading stands still; BUS_FULL
 */
export async function checkStore(dir: string, options: CheckOptions = {}): Promise<StoreCheck> {
  const header = inspectHeader(dir)
  const nothing = { format: 0, records: 0 }
  if (header.state === 'missing') return { ...nothing, problems: [] }
  if (header.state === 'gone') return { ...nothing, problems: [header.why] }
  const { line, at, records, crash } = await runChild({ dir, live: options.live ?? false }, options)
  if (line !== null && 'done' in line) {
    const { done } = line
    return header.state === 'bad' ? { ...done, problems: [...new Set([header.why, ...done.problems])] } : done
  }
  // one that could not begin, or was ended by somebody, says nothing of the store
  if (!CRASHES.test(crash))
    throw fail('BUS_UNAVAILABLE', `looking through the store was ended (${at}: ${crash}); try again`)
  const what =
    at === 'writing'
      ? 'all of it can be read, but lmdb ends a process that writes to it'
      : 'reading it ended the reading process'
  return { ...nothing, records, problems: [`${what} (${crash})`] }
}

/**
 * Copies every readable, sound record, id, term, position, value, snapshot and count into a fresh store, which takes the
 * damaged one's place; that is kept aside. Nothing may have the store open.
 * @throws STORE_TOO_NEW, BUS_FULL (the disk has no room for the new one), BUS_UNAVAILABLE, BUG; then the store is as it was
 */
export async function repairStore(
  dir: string,
  { clock = systemClock, silentMs = SILENT_REPAIR_MS, ...options }: CheckOptions = {},
): Promise<StoreRepair> {
  const target = join(dir, 'store.repair')
  const damaged = join(dir, `store.damaged-${new Date(clock.now()).toISOString().replace(/[:.]/g, '-')}`)
  const file = join(dir, DATA_FILE)
  if (!existsSync(file)) writeFileSync(file, '', { mode: 0o600, flag: 'wx' })
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { mode: 0o700 })
  try {
    const { line, at, crash } = await runChild({ dir, target }, { ...options, clock, silentMs })
    if (line === null || !('rebuilt' in line))
      throw fail('BUG', `saving what can be read ended its process (${at}: ${crash}); ${AS_IT_WAS}`)
    replace(dir, target, damaged)
    return { ...line.rebuilt, damaged }
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}

const AS_IT_WAS = 'the damaged store is as it was'

/** In steps after each of which the directory has a store: the damaged one or the repaired one. */
function replace(dir: string, target: string, damaged: string): void {
  mkdirSync(damaged, { mode: 0o700 })
  const [old, repaired] = [join(dir, DATA_FILE), join(target, DATA_FILE)]
  keepAside(old, join(damaged, DATA_FILE))
  syncDirectory(damaged)
  renameSync(repaired, old)
  rmSync(join(dir, LOCK_FILE), { force: true })
  syncDirectory(dir)
}

function keepAside(file: string, as: string): void {
  try {
    linkSync(file, as)
  } catch {
    // A file system without hard links.
    renameSync(file, as)
  }
}

interface ChildRun {
  /** What it said last; null when it ended without. */
  line: Exclude<ChildLine, { at: string } | { failed: WireError }> | null
  /** What it was at last. */
  at: string
  records: number
  /** How it ended, when not by itself. */
  crash: string
}

/** @throws BUS_UNAVAILABLE when it was ended because it stood still; what it said that failed */
async function runChild(
  order: ChildOrder,
  { onProgress = () => {}, clock = systemClock, silentMs = SILENT_MS }: CheckOptions,
): Promise<ChildRun> {
  const script = import.meta.url.endsWith('.ts') ? './check-child.ts' : './check-child.js'
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const run: ChildRun = { line: null, at: 'open', records: 0, crash: '' }
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  let still = false
  const silence = watchSilence(clock, silentMs, () => {
    still = true
    child.kill('SIGKILL')
  })
  let failed: WireError | null = null
  for await (const text of createInterface({ input: child.stdout })) {
    silence.broken()
    const line = JSON.parse(text) as ChildLine
    if ('failed' in line) failed = line.failed
    else if (!('at' in line)) run.line = line
    else {
      Object.assign(run, { at: line.at, records: line.records })
      onProgress(line.at, line.records, line.of)
    }
  }
  silence.end()
  const doing = order.target === undefined ? 'reading' : 'saving'
  if (still) {
    const why = `${doing} the store stands still (${run.at}, after ${run.records} events, for ${Math.round(silentMs / 1000)} s)`
    throw fail(
      'BUS_UNAVAILABLE',
      `${why}: is the disk slow or gone?${order.target === undefined ? '' : ` ${AS_IT_WAS}`}`,
    )
  }
  run.crash = await ended
  if (failed !== null) {
    const what =
      failed.code === 'BUS_FULL'
        ? `${order.dir} has no room for what is saved: free space, then again; ${AS_IT_WAS}`
        : failed.message
    throw fail(failed.code, failed.code === 'BUG' ? `${doing} the store failed: ${what}` : what)
  }
  return run
}
