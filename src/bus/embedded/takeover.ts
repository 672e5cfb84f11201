/**
 * One bus process per store: a new one ends the one before it, if that still lives (an orphan of a killed supervisor, perhaps
 * frozen with lmdb's write lock in its hands). Whether the directory is in use by another run is the supervisor's question, asked before.
 */
import { closeSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { openFresh } from '../../core/own-files.ts'
import { identify, isOfRun, killForGood, type ProcessIdentity } from '../../core/processes.ts'

const PID_FILE = 'bus.pid'
const PATIENCE_MS = 5_000

/** The pid of the bus process that has the store in `dir` open, or null. */
export const runningBus = (dir: string): number | null => livingOwner(dir)?.pid ?? null

export async function takeOver(dir: string, clock: Clock): Promise<void> {
  const owner = livingOwner(dir)
  // One that is another user's stays: lmdb keeps two writers apart, and the generation refuses the older.
  if (owner !== null) await killForGood(owner, dir, { clock, patienceMs: PATIENCE_MS })
  const handle = openFresh(join(dir, PID_FILE))
  try {
    writeSync(handle, JSON.stringify(identify(process.pid)))
  } finally {
    closeSync(handle)
  }
}

/** The file may say anything: it counts when that very process runs the bus of this directory. */
function livingOwner(dir: string): ProcessIdentity | null {
  try {
    const { pid, started } = JSON.parse(readFileSync(join(dir, PID_FILE), 'utf8'))
    if (pid === process.pid || typeof started !== 'string') return null
    return isOfRun({ pid, started }, dir) ? { pid, started } : null
  } catch {
    return null
  }
}
