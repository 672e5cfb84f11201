/** How much memory processes hold. */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/**
 * The most that any of the processes held of its own, bytes. Pages of files that are mapped (the store) are not counted: the kernel takes
 * them back whenever somebody needs room. Linux only; elsewhere it is 0.
 */
export async function mostHeld(pids: number[], over: AbortSignal): Promise<number> {
  let most = 0
  while (!over.aborted) {
    for (const pid of pids) most = Math.max(most, heldBy(pid))
    await pause(50)
  }
  return most
}

function heldBy(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)
    return (kib('RssAnon') + kib('RssShmem')) * 1024
  } catch {
    return 0
  }
}
