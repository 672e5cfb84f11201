/**
 * Which process a process id means. Ids are used again by the system, so a recorded id is only ever trusted together with when
 * that process started; and records are files, so a process is only ever killed when what it runs is ours, too.
 */
import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Clock, systemClock } from './clock.ts'

export interface ProcessIdentity {
  pid: number
  /** When it started, in the platform's own words; only ever compared. */
  started: string
}

/** Programs of ours, by where they stand in the tree; each has the directory of its run in its arguments. */
const PROGRAM = /\/(?:local\/host|bus\/embedded\/main)\.[tj]s(?:\s|$)/

/** The identity of a living process; null when there is none with that id (a zombie is none). */
export function identify(pid: number): ProcessIdentity | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  const started = process.platform === 'linux' ? startedLinux(pid) : startedPs(pid)
  return started === null ? null : { pid, started }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started
}

/** True when it lives and is a process of the run in `dir` (absolute), by its command line. */
export function isOfRun(identity: ProcessIdentity, dir: string): boolean {
  if (!isAlive(identity)) return false
  const command = commandOf(identity.pid)
  // The bus process has its arguments as JSON.
  return PROGRAM.test(command) && [` ${dir} `, `"dir":${JSON.stringify(dir)}`].some((text) => command.includes(text))
}

/**
 * Kills it, if it is still that very process and one of the run in `dir`, and waits until it is gone.
 * @returns whether it is gone, or was none of that run
 */
export async function killForGood(
  identity: ProcessIdentity,
  dir: string,
  { clock = systemClock, patienceMs = 5000 }: { clock?: Clock; patienceMs?: number } = {},
): Promise<boolean> {
  if (!isOfRun(identity, dir)) return true
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

/** Its arguments, each followed by a space; empty when they cannot be read. */
function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return `${execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], PS).trim()} `
  } catch {
    return ''
  }
}

const PS: ExecFileSyncOptionsWithStringEncoding = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }

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
    const text = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], PS).trim()
    const [state = '', ...started] = text.split(/\s+/)
    return text === '' || state.startsWith('Z') ? null : started.join(' ')
  } catch {
    return null
  }
}
