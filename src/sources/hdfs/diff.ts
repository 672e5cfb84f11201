/** What happened between two looks at a tree, as Argo Events would have told it. Pure. */
import { posix } from 'node:path'
import { type Op, ops } from '../states/file-event.ts'

/** `CREATE|WRITE` as bits; unknown parts count nothing. */
export function maskOf(type: string): number {
  return type.split('|').reduce((mask, part) => mask | (Object.hasOwn(ops, part) ? ops[part as Op] : 0), 0)
}

/**
 * An entry of the tree, JSON: HDFS's number of it (never used again; 0 when the server does not say), its length in bytes, the
 * time of its last write in milliseconds since the epoch, and its permissions, `d` before those of a directory.
 */
export type EntryState = [fileId: number, length: number, mtimeMs: number, mode: string]

/** By path within the watched directory, which is not in it itself. */
export type Tree = ReadonlyMap<string, EntryState>

export interface Change {
  /** Bits of {@link ops}. */
  op: number
  /** For a removal the last one. */
  path: string
  state: EntryState
}

/**
 * Removals first, then the rest by time. What has the same path is the same entry, whatever lies there now (files are replaced by
 * renaming); what has moved to another directory under its name is renamed; another name is a removal and a creation.
 */
export function changesBetween(before: Tree, after: Tree): Change[] {
  const gone = new Map<number, [path: string, state: EntryState]>()
  const removed: Change[] = []
  for (const [path, state] of before) {
    if (after.has(path)) continue
    removed.push({ op: ops.REMOVE, path, state })
    if (state[0] !== 0) gone.set(state[0], [path, state])
  }
  const rest: Change[] = []
  const moved = new Set<string>()
  for (const [path, state] of after) {
    const was = before.get(path)
    if (was !== undefined) {
      const op = differing(was, state)
      if (op !== 0) rest.push({ op, path, state })
      continue
    }
    const from = gone.get(state[0])
    if (from !== undefined && posix.basename(from[0]) === posix.basename(path)) {
      moved.add(from[0])
      // What moves while the tree is looked at may be seen twice.
      gone.delete(state[0])
      rest.push({ op: ops.RENAME | differing(from[1], state), path, state })
    } else rest.push({ op: ops.CREATE, path, state })
  }
  rest.sort((a, b) => a.state[2] - b.state[2] || (a.path < b.path ? -1 : 1))
  return [...removed.filter(({ path }) => !moved.has(path)), ...rest]
}

function differing([fileId, length, mtimeMs, mode]: EntryState, now: EntryState): number {
  // Where it is asked is no change: one server may say the number, another not.
  const other = fileId !== now[0] && fileId !== 0 && now[0] !== 0
  const wrote = other || length !== now[1] || mtimeMs !== now[2]
  return (wrote ? ops.WRITE : 0) | (mode === now[3] ? 0 : ops.CHMOD)
}

/** What is told together, and the tree as it then has been told. */
export interface Portion {
  tree: Tree
  /** Where it differs from the tree before; null: no longer there. */
  changed: ReadonlyMap<string, EntryState | null>
  told: Change[]
}

/**
 * Splits what is told at once: first creations, in portions, then all the rest. Each portion is written down before it is told, with the whole
 * tree so far: a first look at a large tree would take twice the room otherwise.
 * @param told of the changes between the two, those that are meant
 */
export function* inPortions(before: Tree, after: Tree, told: Change[], most: number): Generator<Portion> {
  let tree = new Map(before)
  let rest = told
  while (rest.length > most) {
    const portion = rest.filter(({ op }) => op === ops.CREATE).slice(0, most)
    if (portion.length === 0) break
    const changed = new Map(portion.map(({ path, state }) => [path, state]))
    tree = new Map(tree)
    for (const [path, state] of changed) tree.set(path, state)
    rest = rest.filter(({ path }) => !changed.has(path))
    yield { tree, changed, told: portion }
  }
  yield { tree: after, changed: differences(tree, after), told: rest }
}

/** Where the two trees differ in anything; null: no longer there. */
export function differences(before: Tree, after: Tree): Map<string, EntryState | null> {
  const found = new Map<string, EntryState | null>()
  for (const [path, state] of after) {
    const was = before.get(path)
    if (was === undefined || was.some((value, i) => value !== state[i])) found.set(path, state)
  }
  for (const path of before.keys()) if (!after.has(path)) found.set(path, null)
  return found
}
