/**
 * Which process a process id means. Ids are used again by the system, so a recorded id is only ever trusted together with when
 * that process started.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Clock, systemClock } from '../core/clock.ts'

export interface ProcessIdentity {
  pid: number
  /** When it started, in the platform's own words; only ever compared. */
  started: string
}

/** The identity of a living process; null when there is none with that id (a zombie is none). */
export function identify(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  const started = process.platform === 'linux' ? startedLinux(pid) : startedPs(pid)
  return started === null ? null : { pid, started }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started
}

/** Kills it, if it is still that very process, and waits until it is gone. @returns whether it is gone */
export async function killForGood(
  identity: ProcessIdentity,
  { clock = systemClock, patienceMs = 5000 }: { clock?: Clock; patienceMs?: number } = {},
): Promise<boolean> {
  const deadline = clock.monotonic() + patienceMs
  while (isAlive(identity)) {
    if (clock.monotonic() > deadline) return false
    try {
      process.kill(identity.pid, 'SIGKILL')
    } catch {
      // gone in between, or not ours to kill: the next look tells
    }
    await clock.sleep(10)
  }
  return true
}

/** Field 22 of /proc/<pid>/stat is the start in ticks since the boot; the name in field 2 may contain anything. See proc(5). */
function startedLinux(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, ticks] = [fields[0], fields[19]]
    if (state === 'Z' || state === 'X' || ticks === undefined) return null
    return `${ticks}@${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}`
  } catch {
    return null
  }
}

function startedPs(pid: number): string | null {
  try {
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    const [state = '', ...started] = text.split(/\s+/)
    return text === '' || state.startsWith('Z') ? null : started.join(' ')
  } catch {
    return null
  }
}
