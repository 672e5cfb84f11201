/**
 * One bus process per store: a new one ends the one before it, if that still lives (an orphan of a killed supervisor, perhaps
 * frozen with lmdb's write lock in its hands). Whether the directory is in use by another run is the supervisor's question, asked before.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'

const PID_FILE = 'bus.pid'

/** The pid of the bus process that has the store in `dir` open, or null. */
export function runningBus(dir: string): number | null {
  const owner = readOwner(dir)
  return owner !== null && owner.pid !== process.pid && startedAt(owner.pid) === owner.started ? owner.pid : null
}

export async function takeOver(dir: string, clock: Clock): Promise<void> {
  const pid = runningBus(dir)
  if (pid !== null) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended in between, or is another user's: lmdb keeps two writers apart, and the generation refuses the older.
    }
    for (let waited = 0; waited < 5000 && runningBus(dir) === pid; waited += 5) await clock.sleep(5)
  }
  writeFileSync(join(dir, PID_FILE), JSON.stringify({ pid: process.pid, started: startedAt(process.pid) }))
}

function readOwner(dir: string): { pid: number; started: string } | null {
  try {
    const { pid, started } = JSON.parse(readFileSync(join(dir, PID_FILE), 'utf8'))
    return Number.isInteger(pid) && pid > 1 && typeof started === 'string' ? { pid, started } : null
  } catch {
    return null
  }
}

/** Something that tells this process from a later one of the same pid; null when there is none (a zombie counts as none). */
function startedAt(pid: number): string | null {
  try {
    if (process.platform === 'linux') {
      // proc(5): after the command in parentheses come the state (field 3) and, as field 22, the start time.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
      return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
    }
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return text === '' ? null : text
  } catch {
    return null
  }
}
