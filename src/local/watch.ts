/** Notices that files have changed: `fs.watch` wakes, a look at their facts every second decides (editors replace files, mounts send nothing). */
import { type FSWatcher, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../core/clock.ts'

const LOOK_EVERY_MS = 1000
/** An editor's several writes become one change. */
const SETTLE_MS = 50

/**
 * Calls back after a file, or anything up to two levels below a directory, has changed. Never throws; what is missing counts as a state.
 * @returns stop
 */
export function watchPaths(paths: string[], { clock, onChange }: { clock: Clock; onChange: () => void }): () => void {
  const watchers: FSWatcher[] = []
  let cancel = () => {}
  let stopped = false
  let before: string | null = null
  let looking = false
  let wanted = false

  const look = async (): Promise<void> => {
    if (looking) {
      wanted = true
      return
    }
    looking = true
    cancel()
    const now = (await Promise.all(paths.map((path) => factsOf(path, 2)))).join('\n')
    looking = false
    if (stopped) return
    if (before !== null && now !== before) onChange()
    before = now
    cancel = clock.after(wanted ? SETTLE_MS : LOOK_EVERY_MS, look)
    wanted = false
  }
  const wake = () => {
    cancel()
    if (!stopped) cancel = clock.after(SETTLE_MS, look)
  }
  for (const path of new Set(paths.flatMap((path) => [path, dirname(path)]))) {
    try {
      const watcher = watch(path, { persistent: false }, wake)
      watcher.on('error', () => {})
      watchers.push(watcher)
    } catch {
      // the look every second does it alone
    }
  }
  void look()
  return () => {
    stopped = true
    cancel()
    for (const watcher of watchers) watcher.close()
  }
}

async function factsOf(path: string, depth: number): Promise<string> {
  try {
    const { mtimeMs, size, ino, mode } = await stat(path)
    const own = `${path} ${ino} ${size} ${mtimeMs} ${mode}`
    if (depth === 0 || (mode & 0o170000) !== 0o040000) return own
    const names = (await readdir(path)).sort()
    return [own, ...(await Promise.all(names.map((name) => factsOf(join(path, name), depth - 1))))].join('\n')
  } catch {
    return `${path} -`
  }
}
