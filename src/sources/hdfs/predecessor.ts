/** Going on where Argo Events' own Pods stopped: from a look while they still served, without what they told themselves. */
import type { Predecessor } from '../../source.ts'
import { ops } from '../states/file-event.ts'
import type { Change, EntryState, Tree } from './diff.ts'

/** Whether they told of a change: the same payload, no earlier than the entry was written; a removal at any time. */
export function toldBefore(
  predecessor: Predecessor | null,
  payload: (change: Pick<Change, 'op' | 'path'>) => string,
): (change: Change) => boolean {
  const lastMs = latestOf(predecessor)
  return (change) => {
    const atMs = lastMs.size === 0 ? undefined : lastMs.get(payload(change))
    return atMs !== undefined && (change.op === ops.REMOVE || atMs >= change.state[2])
  }
}

/**
 * The tree to begin from, without what they did not live to tell. They look every so often and tell things in the order in which they happen: what was
 * made or written after the last that they told is left to us, though it was there when we looked.
 * @param began the tree as of the look
 * @param now the tree of today, in which the last that they told is looked for
 * @param meant whether anybody is told of it
 */
export function withoutUntold(
  predecessor: Predecessor | null,
  { began, now }: { began: Tree; now: Tree },
  payload: (change: Pick<Change, 'op' | 'path'>) => string,
  meant: (op: number, path: string) => boolean,
): Tree {
  const lastMs = latestOf(predecessor)
  if (lastMs.size === 0) return began
  const left = new Map(began)
  for (const op of [ops.WRITE, ops.CREATE]) {
    let newest = Number.NaN
    const untold: [path: string, place: number][] = []
    for (const [path, state] of now) {
      const place = placeOf(op, state)
      if (place === null || !meant(op, path)) continue
      const atMs = lastMs.get(payload({ op, path }))
      const told = atMs !== undefined && (op === ops.CREATE || atMs >= state[2])
      if (!told) untold.push([path, place])
      else if (!(place < newest)) newest = place
    }
    for (const [path, place] of untold) {
      const state = left.get(path)
      if (state === undefined || !(place >= newest)) continue
      if (op === ops.CREATE) left.delete(path)
      else left.set(path, unwritten(state))
    }
  }
  return left
}

/** When each payload was last told, milliseconds since the epoch. */
const latestOf = (predecessor: Predecessor | null) =>
  new Map((predecessor?.told ?? []).map(({ data, atMs }) => [data, atMs]))

/** What grows from one creation, or one write, to the next; null: unknown. HDFS numbers what is made; a directory's times are those of what is in it. */
function placeOf(op: number, [fileId, , mtimeMs, mode]: EntryState): number | null {
  if (op === ops.CREATE && fileId !== 0) return fileId
  return mode.startsWith('d') ? null : mtimeMs
}

/** As it was before it was written. */
const unwritten = ([fileId, length, , mode]: EntryState): EntryState => [fileId, length, 0, mode]
