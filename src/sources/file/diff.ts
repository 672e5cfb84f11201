/**
 * What happened between two looks at a directory, as Argo Events would have told it. Pure.
 *
 * Two looks only show states: what came and went between them is invisible, and several writes are one.
 */
import type { Op } from '../states/file-event.ts'
import { equalStates, type FileState, isRegular, movedTo, SELF, sameFile, type Table } from './table.ts'

export interface Change {
  op: Op
  /** The entry's name (see table.ts); for RENAME the old one. */
  key: string
  /** The entry as it is now; for REMOVE and RENAME as it was last known. */
  state: FileState
  /** RENAME: the new name. */
  to?: string
}

/** Names that the kernel spoke of since the last look; true when it told of a change inside (content or attributes). */
export type Hints = ReadonlyMap<string, boolean>

export interface DiffOptions {
  /** The only names that can differ; left out: all. */
  keys?: Iterable<string>
  /** Left out: nobody listened (polling, or a gap between two leaders). */
  hints?: Hints
  /** Names created without a WRITE at the look before: the hint about their content may have been under way. */
  unwritten?: ReadonlySet<string>
}

/**
 * The events of the watching mode: departures first, then the rest in the order of their change times.
 * A renamed file is RENAME of the old name and CREATE of the new; a replaced one is CREATE.
 */
export function diffWatched(before: Table, after: Table, options: DiffOptions = {}): Change[] {
  const { hints = new Map(), unwritten = new Set() } = options
  const { gone, came, kept } = compare(before, after, options.keys)
  const departures: Change[] = []
  const arrivals: Change[] = []
  const renames = pairRenames(gone, came)
  for (const [key, state] of gone) {
    const to = renames.to.get(key)
    if (to !== undefined) departures.push({ op: 'RENAME', key, state, to })
    else if (!after.has(key)) departures.push({ op: 'REMOVE', key, state })
  }
  for (const [key, state] of came) {
    arrivals.push({ op: 'CREATE', key, state })
    const from = renames.from.get(key)
    const wrote = from === undefined ? state.size > 0 && (hints.get(key) ?? true) : contentDiffers(from, state)
    if (isRegular(state) && wrote) arrivals.push({ op: 'WRITE', key, state })
  }
  for (const [key, was, state] of kept) {
    if (equalStates(was, state)) {
      if (unwritten.has(key) && hints.get(key)) arrivals.push({ op: 'WRITE', key, state })
      continue
    }
    // a directory's own times move with its content, of which the kernel does not tell its parent
    if (isRegular(state) && contentDiffers(was, state)) arrivals.push({ op: 'WRITE', key, state })
    if (attributesDiffer(was, state)) arrivals.push({ op: 'CHMOD', key, state })
  }
  departures.sort(byName)
  arrivals.sort((a, b) => compareBig(a.state.ctimeNs, b.state.ctimeNs) || byName(a, b))
  return [...departures, ...arrivals]
}

/**
 * The events of the polling mode: changes, renames (old name only), creations, removals. The directory itself, key
 * {@link SELF}, takes part. A replaced file is a change of the same name.
 */
export function diffPolled(before: Table, after: Table): Change[] {
  const changes: Change[] = []
  const gone: [string, FileState][] = []
  const came: [string, FileState][] = []
  for (const [key, state] of after) {
    const was = before.get(key)
    if (was === undefined) {
      came.push([key, state])
      continue
    }
    const wrote = was.mtimeNs !== state.mtimeNs || (key !== SELF && isRegular(state) && was.size !== state.size)
    if (wrote) changes.push({ op: 'WRITE', key, state })
    if (was.mode !== state.mode) changes.push({ op: 'CHMOD', key, state })
  }
  for (const [key, state] of before) {
    if (!after.has(key)) gone.push([key, state])
  }
  const renames = pairRenames(gone, came)
  const renamed: Change[] = []
  const removed: Change[] = []
  for (const [key, state] of gone) {
    const to = renames.to.get(key)
    if (to === undefined) removed.push({ op: 'REMOVE', key, state })
    else renamed.push({ op: 'RENAME', key, state, to })
  }
  const created: Change[] = []
  for (const [key, state] of came) {
    if (renames.from.has(key)) continue
    created.push({ op: 'CREATE', key, state })
    if (isRegular(state) && state.size > 0) created.push({ op: 'WRITE', key, state })
  }
  return [changes, renamed, created, removed].flatMap((group) => group.sort(byName))
}

/** Names whose states differ, for what is written down; null: no longer there. */
export function differences(before: Table, after: Table, keys?: Iterable<string>): Map<string, FileState | null> {
  const changed = new Map<string, FileState | null>()
  for (const key of keys ?? union(before, after)) {
    const [was, is] = [before.get(key), after.get(key)]
    if (is === undefined ? was !== undefined : was === undefined || !equalStates(was, is)) changed.set(key, is ?? null)
  }
  return changed
}

function compare(before: Table, after: Table, keys: Iterable<string> | undefined) {
  const gone: [string, FileState][] = []
  const came: [string, FileState][] = []
  const kept: [string, FileState, FileState][] = []
  for (const key of keys ?? union(before, after)) {
    const [was, is] = [before.get(key), after.get(key)]
    if (was !== undefined && is !== undefined && sameFile(was, is)) {
      kept.push([key, was, is])
      continue
    }
    if (was !== undefined) gone.push([key, was])
    if (is !== undefined) came.push([key, is])
  }
  return { gone, came, kept }
}

function* union(a: Table, b: Table): Iterable<string> {
  yield* a.keys()
  for (const key of b.keys()) if (!a.has(key)) yield key
}

/** Pairs names that went with names that came and hold the same file; each name is in one pair at most. */
function pairRenames(gone: [string, FileState][], came: [string, FileState][]) {
  const to = new Map<string, string>()
  const from = new Map<string, FileState>()
  const byInode = Map.groupBy(gone, ([, state]) => state.ino)
  for (const [key, state] of came.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const pair = byInode.get(state.ino)?.find(([old, was]) => !to.has(old) && movedTo(was, state))
    if (pair === undefined) continue
    to.set(pair[0], key)
    from.set(key, pair[1])
  }
  return { to, from }
}

function contentDiffers(was: FileState, is: FileState): boolean {
  return was.mtimeNs !== is.mtimeNs || was.size !== is.size
}

/**
 * A write moves both times to the same moment; a change time on its own, or one that is not the write's, means that
 * attributes were set. `touch` cannot be told from a write of the same length by times alone, so it counts as both.
 */
function attributesDiffer(was: FileState, is: FileState): boolean {
  if (was.mode !== is.mode) return true
  if (!isRegular(is) || was.ctimeNs === is.ctimeNs) return false
  return was.mtimeNs === is.mtimeNs || is.mtimeNs !== is.ctimeNs || (is.touched === true && was.size === is.size)
}

function byName(a: Change, b: Change): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

function compareBig(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
