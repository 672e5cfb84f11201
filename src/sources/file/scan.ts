/** Looking at a directory: one level, no symbolic link followed below it. */
import type { BigIntStats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { type FileState, stateOf, type Table } from './table.ts'

/** Which directory stands behind the path right now, and when its list of names last changed. */
export interface DirectoryFacts {
  ino: bigint
  dev: bigint
  state: FileState
}

export interface Look {
  table: Map<string, FileState>
  facts: DirectoryFacts
  /** Entries that could not be looked at and therefore stay as they were known: the first reason, or null. */
  problem: string | null
}

/** `lstat` calls at a time: enough for a network file system's latency, too few to starve others' file access. */
const AT_ONCE = 32
/** A listing during which names came or went is taken again, this often at most. */
const RETAKES = 2

/** @throws the system's error when the path is no directory that can be read */
export async function directoryFacts(directory: string): Promise<DirectoryFacts> {
  const stats = await stat(directory, { bigint: true })
  if (!stats.isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' })
  return { ino: stats.ino, dev: stats.dev, state: stateOf(stats) }
}

export function sameDirectory(a: DirectoryFacts, b: DirectoryFacts): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

/**
 * Every entry of the directory.
 * @param known what an entry that cannot be looked at is taken for
 * @throws the system's error when the directory is gone, unreadable, or was exchanged meanwhile (ESTALE)
 */
export async function lookAtAll(directory: string, known: Table, signal?: AbortSignal): Promise<Look> {
  for (let take = 0; ; take++) {
    const facts = await directoryFacts(directory)
    const names = await readdir(directory, { encoding: 'latin1' })
    const { table, problem } = await lookAt(directory, names, known, signal)
    const end = await directoryFacts(directory)
    if (!sameDirectory(facts, end)) throw Object.assign(new Error('exchanged while it was read'), { code: 'ESTALE' })
    // a rename in the middle of a listing can show neither name or both
    if (facts.state.mtimeNs !== end.state.mtimeNs && take < RETAKES) continue
    return { table, facts, problem }
  }
}

/**
 * The named entries anew, all others as known.
 * @throws as {@link lookAtAll}
 */
export async function lookAtSome(
  directory: string,
  names: Iterable<string>,
  known: Table,
  signal?: AbortSignal,
): Promise<Look> {
  const wanted = [...names]
  const { table: seen, problem } = await lookAt(directory, wanted, known, signal)
  const facts = await directoryFacts(directory)
  const table = new Map(known)
  for (const name of wanted) {
    const state = seen.get(name)
    if (state === undefined) table.delete(name)
    else table.set(name, state)
  }
  return { table, facts, problem }
}

async function lookAt(directory: string, names: string[], known: Table, signal: AbortSignal | undefined) {
  const table = new Map<string, FileState>()
  const states = new Array<FileState | undefined>(names.length)
  let problem: string | null = null
  let next = 0
  const worker = async () => {
    while (next < names.length) {
      signal?.throwIfAborted()
      const at = next++
      const name = names[at]!
      try {
        states[at] = stateOf((await lstat(entryPath(directory, name), { bigint: true })) as BigIntStats)
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT' || code === 'ENOTDIR') continue
        states[at] = known.get(name)
        problem ??= `cannot look at an entry of ${directory}: ${code}`
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, worker))
  names.forEach((name, at) => {
    const state = states[at]
    if (state !== undefined) table.set(name, state)
  })
  return { table, problem }
}

/** The entry's path; as bytes where the name is not plain ASCII. */
export function entryPath(directory: string, name: string): string | Buffer {
  if (/^[\x01-\x7f]*$/.test(name)) return `${directory}/${name}`
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')])
}
