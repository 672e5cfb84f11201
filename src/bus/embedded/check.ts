/**
 * Looking through a store and saving what can be read of it. The reading is done in a child process (check-child.ts), because
 * lmdb maps the file: a truncated or garbled one can end the process that touches it by SIGBUS or SIGSEGV.
 */
import { spawn } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Clock, systemClock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { watchSilence } from '../../core/silence.ts'
import { DATA_FILE, inspectHeader, LOCK_FILE } from './header.ts'

export interface StoreCheck {
  /** 0 when unknown. */
  format: number
  /** Events read. */
  records: number
  /** Each in a few words; at most 20. Empty: the store is sound. */
  problems: string[]
}

export interface StoreRepair {
  /** Events saved. */
  records: number
  problems: string[]
  /** The directory where the damaged store lies now. */
  damaged: string
}

/** What the child says, one JSON per line. */
export type ChildLine = { at: string; records: number } | { done: StoreCheck }

export interface ChildOrder {
  dir: string
  /** Where to save what can be read; left out: only look. */
  target?: string
  /** What crashed before, and is left alone now. */
  skip?: string[]
}

export interface CheckOptions {
  /** Told what is being read and how many events have been, over and over while it goes on. */
  onProgress?: (at: string, records: number) => void
  clock?: Clock
  /** When nothing has been read for so long, milliseconds, it is given up: how long all of it takes does not matter. */
  silentMs?: number
}

/** A disk that gives not even a hundred records in this time is none. Less than a supervisor's patience with a bus process. */
const SILENT_MS = 15_000

/** Reads every record of every table. A store that is missing is sound. @throws BUS_UNAVAILABLE reading stands still */
export async function checkStore(dir: string): Promise<StoreCheck> {
  const header = inspectHeader(dir)
  if (header.state === 'missing') return { format: 0, records: 0, problems: [] }
  if (header.state === 'bad') return { format: 0, records: 0, problems: [header.why] }
  return await checkInChild(dir)
}

/** `checkStore` without the look at the header. @throws BUS_UNAVAILABLE reading stands still */
export async function checkInChild(dir: string, options: CheckOptions = {}): Promise<StoreCheck> {
  const { done, crash, records } = await runChild({ dir }, options)
  return done ?? { format: 0, records, problems: [crash] }
}

/**
 * Copies every readable, sound record, id, term, position, value, snapshot and count into a fresh store, which takes the
 * damaged one's place; that is kept aside. Nothing may have the store open.
 */
export async function repairStore(dir: string, now: Date = new Date()): Promise<StoreRepair> {
  const target = join(dir, 'store.repair')
  const damaged = join(dir, `store.damaged-${now.toISOString().replace(/[:.]/g, '-')}`)
  const problems: string[] = []
  let records = 0
  const header = inspectHeader(dir)
  if (header.state === 'missing') problems.push('there is no store')
  else {
    if (header.state === 'bad') problems.push(header.why)
    const skip = header.state === 'bad' ? ['open'] : []
    for (;;) {
      rmSync(target, { recursive: true, force: true })
      const run = await runChild({ dir, target, skip })
      problems.push(...(run.done?.problems ?? [run.crash]))
      records = run.done?.records ?? 0
      // Each time without what it crashed on; when that is not known to be left out, something else is wrong.
      if (run.done !== null || skip.includes(run.at) || run.at === 'pages') break
      skip.push(run.at)
    }
  }
  replace(dir, target, damaged)
  return { records, problems: problems.slice(0, 20), damaged }
}

/** In steps after each of which the directory has a store: the damaged one or the repaired one. */
function replace(dir: string, target: string, damaged: string): void {
  mkdirSync(damaged, { mode: 0o700 })
  const [old, repaired] = [join(dir, DATA_FILE), join(target, DATA_FILE)]
  if (existsSync(old)) keepAside(old, join(damaged, DATA_FILE))
  if (existsSync(repaired)) renameSync(repaired, old)
  else rmSync(old, { force: true })
  rmSync(join(dir, LOCK_FILE), { force: true })
  rmSync(target, { recursive: true, force: true })
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
  done: StoreCheck | null
  /** What it was reading last. */
  at: string
  records: number
  /** How it ended, when not by itself. */
  crash: string
}

/** @throws BUS_UNAVAILABLE when it was ended because it stood still */
async function runChild(
  order: ChildOrder,
  { onProgress = () => {}, clock = systemClock, silentMs = SILENT_MS }: CheckOptions = {},
): Promise<ChildRun> {
  const script = import.meta.url.endsWith('.ts') ? './check-child.ts' : './check-child.js'
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const run: ChildRun = { done: null, at: 'open', records: 0, crash: '' }
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  let still = false
  const silence = watchSilence(clock, silentMs, () => {
    still = true
    child.kill('SIGKILL')
  })
  for await (const text of createInterface({ input: child.stdout })) {
    silence.broken()
    const line = JSON.parse(text) as ChildLine
    if ('done' in line) run.done = line.done
    else {
      Object.assign(run, line)
      onProgress(line.at, line.records)
    }
  }
  silence.end()
  if (still) {
    const why = `reading the store stands still (${run.at}, after ${run.records} events, for ${Math.round(silentMs / 1000)} s)`
    throw fail('BUS_UNAVAILABLE', `${why}: is the disk slow or gone?`)
  }
  run.crash = `reading it ended the reading process (${run.at}: ${await ended})`
  return run
}
