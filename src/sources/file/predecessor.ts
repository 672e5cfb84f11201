/** Going on where Argo Events' own Pods stopped: from a look while they still served, without what they told themselves. */
import type { Predecessor, PrepareContext } from '../../source.ts'
import type { Change } from './diff.ts'
import { lookAtAll } from './scan.ts'
import { SELF, type Table } from './table.ts'

/** @param polling then the directory itself takes part. @throws the system's error when it cannot be read */
export async function lookOnce(
  { signal }: PrepareContext,
  { directory, polling }: { directory: string; polling: boolean },
): Promise<Table> {
  const { table, facts } = await lookAtAll(directory, new Map(), signal)
  if (polling) table.set(SELF, facts.state)
  return table
}

/**
 * Whether they told of this change: the same payload, no earlier than the change happened. A name may be made, removed and made again, and only the
 * last time be left to us; what cannot be told apart by time (a file server's clock is ahead) is rather told twice than not at all.
 */
export function toldBefore(
  { told, seen }: Predecessor,
  payload: (change: Change) => string,
): (change: Change) => boolean {
  const lastMs = new Map(told.map(({ data, atMs }) => [data, atMs]))
  return (change) => (lastMs.get(payload(change)) ?? Number.NEGATIVE_INFINITY) >= happenedMs(change, seen?.atMs)
}

/** Milliseconds since the epoch. What is gone was there when it was last looked at. */
function happenedMs({ op, state }: Change, lookedMs = 0): number {
  switch (op) {
    case 'REMOVE':
    case 'RENAME':
      return lookedMs
    case 'CREATE':
      // Moved here, it is older than that.
      return Math.max(lookedMs, milliseconds(state.btimeNs))
    case 'WRITE':
      // Whoever writes may set the time of writing, but not that of the change.
      return milliseconds(state.mtimeNs < state.ctimeNs ? state.mtimeNs : state.ctimeNs)
    case 'CHMOD':
      return milliseconds(state.ctimeNs)
  }
}

/** Whole ones, as their events' times are. */
const milliseconds = (ns: bigint): number => Number(ns / 1_000_000n)
