/** Being woken by the kernel. What it says is only a hint where to look; what happened is found by looking. */
import { watch } from 'node:fs'
import type { Clock } from '../../core/clock.ts'
import type { Hints } from './diff.ts'

export interface Wake {
  /** The names spoken of since the last call; null when a name was missing, so that everything must be looked at. */
  take(): Hints | null
  /** Resolves at the first hint (at once if there is one), or after `ms`. Rejects when `signal` aborts. */
  wait(ms: number, clock: Clock, signal: AbortSignal): Promise<'hint' | 'time'>
  /** False once the kernel reported an error: it says nothing more. */
  readonly alive: boolean
  close(): void
}

/** @throws the system's error, e.g. ENOSPC when the machine has no inotify watch left */
export function watchDirectory(directory: string): Wake {
  let names = new Map<string, boolean>()
  let nameless = false
  let alive = true
  let notify = () => {}
  const watcher = watch(directory, { encoding: 'buffer' }, (kind, name) => {
    if (name === null) nameless = true
    else {
      const key = name.toString('latin1')
      names.set(key, kind === 'change' || names.get(key) === true)
    }
    notify()
  })
  watcher.on('error', () => {
    alive = false
    nameless = true
    notify()
  })
  return {
    get alive() {
      return alive
    },
    take() {
      const taken = nameless ? null : names
      names = new Map()
      nameless = false
      return taken
    },
    wait(ms, clock, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        if (names.size > 0 || nameless) return resolve('hint')
        const end = (settle: () => void) => {
          cancel()
          signal.removeEventListener('abort', aborted)
          notify = () => {}
          settle()
        }
        const aborted = () => end(() => reject(signal.reason))
        const cancel = clock.after(ms, () => end(() => resolve('time')))
        signal.addEventListener('abort', aborted, { once: true })
        notify = () => end(() => resolve('hint'))
      })
    },
    close: () => watcher.close(),
  }
}

/** Lets everything that the kernel has already said be heard. */
export async function hearAll(clock: Pick<Clock, 'soon'>): Promise<void> {
  // two rounds of the event loop: one may be past its polling phase already
  for (let round = 0; round < 2; round++) await new Promise<void>((resolve) => clock.soon(resolve))
}
