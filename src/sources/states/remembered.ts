/**
 * What was last told of each of many things, for origins that only show their state: a new leader compares it with a listing. It lies in a
 * snapshot, a little behind; the few changes since are in the positions, and what is told once more has the id that it had before.
 */
import type { Clock } from '../../core/clock.ts'
import type { ServeContext } from '../../source.ts'
import { packed, unpacked } from './packed.ts'

/** @typeParam State of a thing, JSON @typeParam Mark how far the origin was read, JSON */
export interface RememberedPosition<State, Mark> {
  /** The snapshot that this builds on. */
  base: number
  /** What has changed since; null: more than is kept here. */
  delta: [key: string, state: State | null][] | null
  mark: Mark
}

/** Changes in a position. */
const MOST_DELTA = 32
/** After so many changes there is a snapshot, in any case: what is told again must be among the events that are recalled. */
export const MOST_CHANGES = 400
const SAVE_MS = 1_000
/** Things that are remembered. */
export const MOST_REMEMBERED = 250_000

interface Body<State> {
  version: 1
  number: number
  things: [key: string, state: State][] | null
}

export interface Remembered<State, Mark> {
  /** Null at the very first start, or when there are too many. Treat as read-only. */
  readonly things: ReadonlyMap<string, State> | null
  /** How far the origin was read; null at the very first start. */
  readonly mark: Mark | null
  /** Takes a whole listing (null: too large) and counts it as told. What was handed over before must be stored. */
  begin(things: Map<string, State> | null, mark: Mark): Promise<void>
  /** @param state null: gone @returns the position once the event of this change is stored */
  change(key: string, state: State | null, mark: Mark): RememberedPosition<State, Mark>
  /** Writes a snapshot when one is due; to be called between events. @param done resolves when all that was handed over is stored, rejects when some is not */
  save(done: () => Promise<void>): Promise<void>
  /** Moves the mark on without a change. */
  moveOn(mark: Mark): Promise<void>
}

type Context<State, Mark> = Pick<
  ServeContext<unknown, RememberedPosition<State, Mark>>,
  'resume' | 'snapshot' | 'advance'
>

export async function remember<State, Mark>(
  { resume, snapshot, advance }: Context<State, Mark>,
  clock: Clock,
): Promise<Remembered<State, Mark>> {
  const resumed = resume()
  const saved = (await unpacked(await snapshot.load())) as Body<State> | null
  let base = Math.max(resumed?.base ?? 0, saved?.number ?? 0)
  let mark: Mark | null = resumed?.mark ?? null
  let things: Map<string, State> | null = saved?.things ? new Map(saved.things) : null
  if (resumed !== null && saved !== null && resumed.base === saved.number && things !== null) {
    for (const [key, state] of resumed.delta ?? []) apply(things, key, state)
  }
  const delta = new Map<string, State | null>()
  let changes = 0
  /** There are too many, and no snapshot says so yet. */
  let outgrown = false
  let savedMs = clock.monotonic()

  const position = (): RememberedPosition<State, Mark> => ({
    base,
    delta: delta.size <= MOST_DELTA ? [...delta] : null,
    mark: mark!,
  })
  const write = async () => {
    const body: Body<State> = { version: 1, number: base + 1, things: things === null ? null : [...things] }
    await snapshot.save(await packed(body))
    base++
    delta.clear()
    changes = 0
    outgrown = false
    savedMs = clock.monotonic()
    await advance(position())
  }
  return {
    get things() {
      return things
    },
    get mark() {
      return mark
    },
    async begin(listed, newest) {
      things = listed
      mark = newest
      await write()
    },
    change(key, state, newest) {
      if (things !== null) {
        apply(things, key, state)
        if (things.size > MOST_REMEMBERED) {
          things = null
          outgrown = true
        }
      }
      delta.set(key, state)
      changes++
      mark = newest
      return position()
    },
    async save(done) {
      if ((things === null || changes === 0) && !outgrown) return
      if (!outgrown && changes < MOST_CHANGES && clock.monotonic() - savedMs < SAVE_MS) return
      await done()
      await write()
    },
    async moveOn(newest) {
      mark = newest
      await advance(position())
    },
  }
}

function apply<State>(things: Map<string, State>, key: string, state: State | null): void {
  if (state === null) things.delete(key)
  else things.set(key, state)
}
