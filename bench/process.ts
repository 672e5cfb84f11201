/** What the operating system says of a process. Linux only; elsewhere the figures are missing (NaN). */
import { readFileSync } from 'node:fs'

/** CPU that all threads of a process have used so far, milliseconds, in steps of 10. */
export function cpuMs(pid: number): number {
  try {
    // After the name, which is in parentheses and may hold anything: utime and stime are fields 14 and 15 (proc(5)), in 1/100 s.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return Number.NaN
  }
}

/** Resident memory, megabytes. */
export function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  } catch {
    return Number.NaN
  }
}
