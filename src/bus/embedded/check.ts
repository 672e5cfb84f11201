/**
 * Looking through a store and saving what can be read of it. The reading is done in a child process (check-child.ts), because
 * lmdb maps the file: a truncated or garbled one can end the process that touches it by SIGBUS or SIGSEGV.
 */
import { spawn } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
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
  records: number
  /** Records that were there and could not be read, as far as is known. */
  lost: number
  problems: string[]
  /** The directory where the damaged store lies now. */
  damaged: string
}

/** What the child says, one JSON per line. */
export type ChildLine =
  | { at: string; seq: number; records: number; lost: number }
  | { problem: string }
  | { done: StoreCheck & { lost: number } }

export interface ChildOrder {
  mode: 'scan' | 'salvage'
  dir: string
  /** Salvage: where to. */
  target?: string
  /** Salvage: the first sequence number to try. */
  from?: number
  /** Tables whose reading crashed before. */
  skip?: string[]
}

/** Reads every record of every table. A store that is missing is sound. */
export async function checkStore(dir: string): Promise<StoreCheck> {
  const header = inspectHeader(dir)
  if (header.state === 'missing') return { format: 0, records: 0, problems: [] }
  if (header.state === 'bad') return { format: 0, records: 0, problems: [header.why] }
  return await checkInChild(dir)
}

/** `checkStore` without the look at the header. */
export async function checkInChild(dir: string): Promise<StoreCheck> {
  const { done, problems, crash, records } = await runChild({ mode: 'scan', dir })
  if (done !== null) return { format: done.format, records: done.records, problems: done.problems }
  return { format: 0, records, problems: [...problems, crash] }
}

const MAX_CRASHES = 200

/**
 * Copies every readable, sound record, id, term, position, value, snapshot and count into a fresh store, which takes the
 * damaged one's place; that is kept aside. Nothing may have the store open.
 */
export async function repairStore(dir: string, now: Date = new Date()): Promise<StoreRepair> {
  const target = join(dir, 'store.repair')
  const damaged = join(dir, `store.damaged-${now.toISOString().replace(/[:.]/g, '-')}`)
  rmSync(target, { recursive: true, force: true })
  const problems: string[] = []
  let [records, lost] = [0, 0]
  const header = inspectHeader(dir)
  if (header.state === 'bad' || header.state === 'missing') {
    problems.push(header.state === 'bad' ? header.why : 'there is no store')
  } else {
    const order: ChildOrder = { mode: 'salvage', dir, target, from: 0, skip: [] }
    let stride = 1
    for (let crashes = 0; ; crashes++) {
      const run = await runChild(order)
      problems.push(...run.problems)
      records += run.done?.records ?? run.records
      lost += run.done?.lost ?? run.lost
      if (run.done !== null) break
      problems.push(run.crash)
      if (crashes >= MAX_CRASHES || run.at === 'open') break
      if (run.at !== 'log') order.skip = [...(order.skip ?? []), run.at]
      else {
        // Past what crashed: in small steps first, then in large ones.
        stride = run.seq > (order.from ?? 0) ? 1 : stride * 2
        lost += stride
        order.from = run.seq + stride
      }
    }
  }
  replace(dir, target, damaged)
  return { records, lost, problems: problems.slice(0, 20), damaged }
}

/** In steps after each of which the directory has a store: the damaged one or the repaired one. */
function replace(dir: string, target: string, damaged: string): void {
  mkdirSync(damaged, { mode: 0o700 })
  const [old, repaired] = [join(dir, DATA_FILE), join(target, DATA_FILE)]
  if (existsSync(old)) linkSync(old, join(damaged, DATA_FILE))
  if (existsSync(repaired)) renameSync(repaired, old)
  else rmSync(old, { force: true })
  rmSync(join(dir, LOCK_FILE), { force: true })
  rmSync(target, { recursive: true, force: true })
}

interface ChildRun {
  done: (StoreCheck & { lost: number }) | null
  problems: string[]
  /** What it was reading last. */
  at: string
  seq: number
  records: number
  lost: number
  /** How it ended, when not by itself. */
  crash: string
}

async function runChild(order: ChildOrder): Promise<ChildRun> {
  const script = import.meta.url.endsWith('.ts') ? './check-child.ts' : './check-child.js'
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const run: ChildRun = { done: null, problems: [], at: 'open', seq: 0, records: 0, lost: 0, crash: '' }
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as ChildLine
    if ('problem' in line) run.problems.push(line.problem)
    else if ('done' in line) run.done = line.done
    else Object.assign(run, line)
  }
  run.crash = `reading ${run.at === 'log' ? `records from ${run.seq}` : run.at} ended the reading process (${await ended})`
  return run
}
