/**
 * Telling a file that was moved to another directory (RENAME, as the kernel says) from one that was deleted (REMOVE).
 * From the directory alone both look the same; a handle that was opened before knows where its file is now.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, readlink } from 'node:fs/promises'
import { entryPath } from './scan.ts'
import { type FileState, isDirectory, isRegular, sameFile, stateOf, type Table } from './table.ts'

export interface Handles {
  /** Opens what is new among `keys` of the table and closes what is gone or replaced. Never throws. */
  keep(table: Table, keys: Iterable<string>): Promise<void>
  /** True when the file that had this name is known to be in another directory now. */
  movedAway(key: string): Promise<boolean>
  close(): Promise<void>
}

/** So many files are held open at most; those beyond are REMOVE when they go, wherever they went. */
export const MOST = 1000
/** Never waits for a writer (FIFO), never follows a link, moves no access time that others look at. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

/** @param wanted whether it matters what becomes of the entry */
export function createHandles(directory: string, wanted: (key: string) => boolean): Handles {
  const held = new Map<string, { handle: FileHandle; state: FileState }>()

  async function release(key: string): Promise<void> {
    const was = held.get(key)
    held.delete(key)
    await was?.handle.close().catch(() => {})
  }

  return {
    async keep(table, keys) {
      for (const key of keys) {
        const state = table.get(key)
        const was = held.get(key)
        if (was !== undefined && state !== undefined && sameFile(was.state, state)) continue
        await release(key)
        if (state === undefined || held.size >= MOST || !wanted(key)) continue
        if (!isRegular(state) && !isDirectory(state)) continue
        // not readable, or gone again: then nothing is known of it
        const handle = await open(entryPath(directory, key), FLAGS).catch(() => null)
        if (handle === null) continue
        held.set(key, { handle, state })
        const opened = await handle.stat({ bigint: true }).catch(() => null)
        if (opened === null || !sameFile(state, stateOf(opened))) await release(key)
      }
    },
    async movedAway(key) {
      const handle = held.get(key)?.handle
      if (handle === undefined) return false
      try {
        return !(await readlink(`/proc/self/fd/${handle.fd}`)).endsWith(' (deleted)')
      } catch {
        // no Linux: another hard link looks like a move
        return await handle.stat().then(
          (stats) => stats.nlink > 0,
          () => false,
        )
      }
    },
    async close() {
      await Promise.all([...held.keys()].map(release))
    },
  }
}
