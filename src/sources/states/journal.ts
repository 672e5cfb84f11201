/**
 * What a new leader of a directory needs to go on exactly where the last one stopped: the table of the directory as last told, and
 * the events that were decided on but not yet stored.
 *
 * Small changes travel in the positions, that is in the same write as the events they belong to; so the table can
 * never be ahead of the events or behind them. Big ones are written as a snapshot first, with the list of their
 * events, and the positions count how far that list has got. Either way an event is decided once, and a repeated
 * one has the id it had before.
 */
import { z } from 'zod'
import { isAbort } from '../../core/errors.ts'
import { goJson } from '../../core/json.ts'
import type { ServeContext } from '../../source.ts'
import { packed, unpacked } from './packed.ts'

/** An event to be told: its kind, the entry's name and the source id. */
export type Owed<Op extends string> = [op: Op, key: string, id: string]

/** @typeParam Packed a state, JSON */
export interface JournalPosition<Op extends string, Packed> {
  /** The snapshot that this builds on. */
  base: number
  /** How many of that snapshot's events are stored. */
  done: number
  /** What has changed in the table since that snapshot. Pairs rather than an object: a file may be called `__proto__`. */
  delta: [key: string, state: Packed | null][]
  /** Events of the last change that come after the one this position belongs to. */
  owed: Owed<Op>[]
}

/** {@link JournalPosition}, as far as it is the same for all. */
export const journalPosition = z.object({
  base: z.int().nonnegative(),
  done: z.int().nonnegative(),
  delta: z.array(z.tuple([z.string(), z.unknown()])),
  owed: z.array(z.tuple([z.string(), z.string(), z.string()])),
})

interface SnapshotBody<Op extends string, Packed> {
  version: 1
  /** What the table was made for; another one is not ours to go on from. */
  identity: string
  number: number
  table: [string, Packed][]
  owed: Owed<Op>[]
}

/** Positions stay small: beyond these a snapshot is written. */
const MOST_DELTA = 16
const MOST_OWED = 16
/** Events handed over before the first of them must be stored. */
const IN_FLIGHT = 256

export interface Journal<Op extends string, State> {
  /** The table as last told, or null on the very first start. */
  readonly table: ReadonlyMap<string, State> | null
  /** Writes the first table, which nothing is told about. */
  begin(table: ReadonlyMap<string, State>): Promise<void>
  /** Tells `events` and makes `table` the one that counts. Resolves when all are stored. */
  commit(
    table: ReadonlyMap<string, State>,
    changed: ReadonlyMap<string, State | null>,
    events: Owed<Op>[],
  ): Promise<void>
}

export interface JournalOptions<Op extends string, State, Packed> {
  identity: unknown
  /** An event's payload. */
  payload: (op: Op, key: string) => string
  pack: (state: State) => Packed
  unpack: (packed: Packed) => State
}

/**
 * Reads what the last leader left, and first tells what it still owed.
 * @throws what `emit` throws
 */
export async function openJournal<Op extends string, State, Packed>(
  ctx: Pick<ServeContext<unknown, JournalPosition<Op, Packed>>, 'emit' | 'advance' | 'resume' | 'snapshot' | 'log'>,
  options: JournalOptions<Op, State, Packed>,
): Promise<Journal<Op, State>> {
  type Position = JournalPosition<Op, Packed>
  type Table = ReadonlyMap<string, State>
  const { pack, unpack } = options
  const identity = goJson(options.identity)
  const resumed = ctx.resume()
  let position: Position = { base: resumed?.base ?? 0, done: 0, delta: [], owed: [] }
  let table: Table | null = null
  /** An advance that is under way: nobody waits for it, but its failure must come out. */
  let advancing: Promise<unknown> = Promise.resolve(null)

  async function tell(events: Owed<Op>[], positionAfter: (index: number) => Position): Promise<void> {
    const pending: Promise<unknown>[] = []
    try {
      for (const [index, [op, key, id]] of events.entries()) {
        if (index >= IN_FLIGHT) await pending[index - IN_FLIGHT]
        const after = positionAfter(index)
        const item = { what: `${op} of ${key}`, fate: 'what it tells of stays as it is' }
        const emitted = ctx.emit({ data: options.payload(op, key), id, position: after, item })
        emitted.catch(() => {})
        pending.push(emitted)
      }
      await Promise.all(pending)
    } catch (error) {
      await Promise.allSettled(pending)
      throw error
    }
  }

  async function save(number: number, next: Table, owed: Owed<Op>[]): Promise<void> {
    const rows = Array.from(next, ([key, state]): [string, Packed] => [key, pack(state)])
    await ctx.snapshot.save(await packed({ version: 1, identity, number, table: rows, owed }))
    position = { base: number, done: 0, delta: [], owed: [] }
  }

  async function tellSnapshot(owed: Owed<Op>[], from: number): Promise<void> {
    const { base, delta } = position
    await tell(owed.slice(from), (index) => ({ base, done: from + index + 1, delta, owed: [] }))
    position = { ...position, done: Math.max(from, owed.length) }
  }

  async function tellPosition(owed: Owed<Op>[]): Promise<void> {
    const { base, done, delta } = position
    await tell(owed, (index) => ({ base, done, delta, owed: owed.slice(index + 1) }))
    position = { ...position, owed: [] }
  }

  const saved = await decode<Op, Packed>(await ctx.snapshot.load(), identity)
  if (saved !== null) {
    const restored = new Map(saved.table.map(([key, packed]) => [key, unpack(packed)]))
    // an older base means that the snapshot was written after that position and knows more
    if (resumed !== null && resumed.base >= saved.number) {
      position = resumed
      for (const [key, packed] of resumed.delta) {
        if (packed === null) restored.delete(key)
        else restored.set(key, unpack(packed))
      }
    } else {
      position = { base: saved.number, done: 0, delta: [], owed: [] }
    }
    table = restored
    if (position.base === saved.number) await tellSnapshot(saved.owed, position.done)
    await tellPosition(position.owed)
  } else if (resumed !== null) {
    ctx.log.warn('the directory as last seen is not known any more; changes since then are not reported')
  }

  return {
    get table() {
      return table
    },
    async begin(first) {
      await save(position.base + 1, first, [])
      table = first
    },
    async commit(next, changed, events) {
      const failure = await Promise.race([advancing, null])
      if (failure !== null) throw failure
      const latest = new Map(position.delta)
      for (const [key, state] of changed) latest.set(key, state === null ? null : pack(state))
      const delta = [...latest]
      if (delta.length > MOST_DELTA || events.length > MOST_OWED) {
        await save(position.base + 1, next, events)
        await tellSnapshot(events, 0)
      } else if (changed.size > 0 || events.length > 0) {
        position = { ...position, delta }
        if (events.length > 0) await tellPosition(events)
        else
          advancing = ctx.advance(position).then(
            () => null,
            (error: unknown) => (isAbort(error) ? null : error),
          )
      }
      table = next
    },
  }
}

/** Null when there is none, or none of this identity, or one that cannot be read (then the tree as it is counts). */
async function decode<Op extends string, Packed>(
  bytes: Uint8Array | null,
  identity: string,
): Promise<SnapshotBody<Op, Packed> | null> {
  const body = (await unpacked(bytes)) as SnapshotBody<Op, Packed> | null
  return body?.version === 1 && body.identity === identity ? body : null
}
