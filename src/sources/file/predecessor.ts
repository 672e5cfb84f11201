/** Going on where Argo Events' own Pods stopped: from a look while they still served, without what they told themselves. */
import type { EntryContext, Predecessor, Told } from '../../source.ts'
import type { Op } from '../states/file-event.ts'
import type { Change } from './diff.ts'
import { lookAtAll } from './scan.ts'
import { type FileState, SELF, type Table } from './table.ts'

/** @param polling then the directory itself takes part. @throws the system's error when it cannot be read */
export async function lookOnce(
  { signal }: EntryContext,
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
  const lastMs = latestOf(told)
  return (change) => (lastMs.get(payload(change)) ?? Number.NEGATIVE_INFINITY) >= happenedMs(change, seen?.atMs)
}

/**
 * The table to begin from, without what they did not live to tell. They tell things in the order in which they happen: what was made or written after
 * the last that they told is left to us, also where they were behind when we looked, or gone. The file system's own times are compared, since their
 * clock may be another; where it keeps no time of creation, the look alone counts.
 * @param began the table as of the look
 * @param now the table of today, in which the last that they told is looked for
 * @param meant the payload of a change; null: nobody is told of it
 */
export function withoutUntold(
  { told }: Predecessor,
  { began, now }: { began: Table; now: Table },
  meant: (op: Op, key: string) => string | null,
): Table {
  if (told.length === 0) return began
  const lastMs = latestOf(told)
  const left = new Map(began)
  for (const op of ['CREATE', 'WRITE'] as const) {
    let newestNs: bigint | null = null
    const untold: [key: string, atNs: bigint][] = []
    for (const [key, state] of now) {
      const payload = meant(op, key)
      const atNs = op === 'CREATE' ? state.btimeNs : writtenNs(state)
      if (payload === null || atNs === 0n) continue
      if ((lastMs.get(payload) ?? Number.NEGATIVE_INFINITY) < milliseconds(atNs)) untold.push([key, atNs])
      else if (newestNs === null || atNs > newestNs) newestNs = atNs
    }
    // Several within one tick have the same time.
    for (const [key, atNs] of untold) if (newestNs !== null && atNs >= newestNs) left.delete(key)
  }
  return left
}

/** When each payload was last told, milliseconds since the epoch. */
const latestOf = (told: readonly Told[]) => new Map(told.map(({ data, atMs }) => [data, atMs]))

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
      return milliseconds(writtenNs(state))
    case 'CHMOD':
      return milliseconds(state.ctimeNs)
  }
}

/** Whoever writes may set the time of writing, but not that of the change. */
const writtenNs = ({ mtimeNs, ctimeNs }: FileState): bigint => (mtimeNs < ctimeNs ? mtimeNs : ctimeNs)

/** Whole ones, as their events' times are. */
const milliseconds = (ns: bigint): number => Number(ns / 1_000_000n)
