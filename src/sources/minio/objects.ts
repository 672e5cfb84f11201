/**
 * The bucket as last told: each object's key with its time of writing. A new leader compares it with a listing. It lies in a snapshot, a
 * little behind; the few changes since are in the positions, and whatever is told again has the id that it had before.
 */
import type { Clock } from '../../core/clock.ts'
import type { SourceContext } from '../../source.ts'
import { packed, unpacked } from '../shared/packed.ts'

/** Milliseconds since the epoch by key. */
export type Objects = Map<string, number>

export interface MinioPosition {
  /** The snapshot that this builds on. */
  base: number
  /** What has changed since; null: more than is kept here. */
  delta: [key: string, modifiedMs: number | null][] | null
  /** The latest time of writing that was told, for buckets that are too large to be remembered. */
  sinceMs: number
}

/** Changes in a position. */
const MOST_DELTA = 32
/** After so many changes there is a snapshot, in any case: what is told again must be among the events that are recalled. */
export const MOST_CHANGES = 400
const SAVE_MS = 1_000
/** Objects that are remembered. */
export const MOST_OBJECTS = 250_000

interface Body {
  version: 1
  number: number
  objects: [key: string, modifiedMs: number][] | null
}

export interface Remembered {
  /** Null at the very first start, or when the bucket is too large. */
  objects: Objects | null
  /** True when nothing was ever told. */
  readonly first: boolean
  readonly sinceMs: number
  /** Takes a whole listing. Null: too large. */
  begin(objects: Objects | null, sinceMs: number): Promise<void>
  /** @returns the position once the event of this change is stored; null for `modifiedMs`: removed */
  change(key: string, modifiedMs: number | null): MinioPosition
  /** To be called between events; writes a snapshot when one is due. @param settled resolves when all that was handed over is stored */
  save(settled: () => Promise<void>): Promise<void>
}

export async function remember(
  { resume, snapshot, advance }: Pick<SourceContext<unknown, MinioPosition>, 'resume' | 'snapshot' | 'advance'>,
  clock: Clock,
): Promise<Remembered> {
  const resumed = resume()
  const saved = (await unpacked(await snapshot.load())) as Body | null
  let base = Math.max(resumed?.base ?? 0, saved?.number ?? 0)
  let sinceMs = resumed?.sinceMs ?? 0
  let objects: Objects | null = saved?.objects ? new Map(saved.objects) : null
  if (resumed !== null && saved !== null && resumed.base === saved.number && objects !== null) {
    for (const [key, modifiedMs] of resumed.delta ?? []) apply(objects, key, modifiedMs)
  }
  const delta = new Map<string, number | null>()
  let changes = 0
  /** The bucket has become too large, and no snapshot says so yet. */
  let outgrown = false
  let savedMs = clock.monotonic()

  const position = (): MinioPosition => ({
    base,
    delta: delta.size <= MOST_DELTA ? [...delta] : null,
    sinceMs,
  })
  const write = async () => {
    const body: Body = { version: 1, number: base + 1, objects: objects === null ? null : [...objects] }
    await snapshot.save(await packed(body))
    base++
    delta.clear()
    changes = 0
    outgrown = false
    savedMs = clock.monotonic()
    await advance(position())
  }
  return {
    get objects() {
      return objects
    },
    first: resumed === null && saved === null,
    get sinceMs() {
      return sinceMs
    },
    async begin(listed, latestMs) {
      objects = listed
      sinceMs = Math.max(sinceMs, latestMs)
      await write()
    },
    change(key, modifiedMs) {
      if (objects !== null) {
        apply(objects, key, modifiedMs)
        if (objects.size > MOST_OBJECTS) {
          objects = null
          outgrown = true
        }
      }
      delta.set(key, modifiedMs)
      changes++
      sinceMs = Math.max(sinceMs, modifiedMs ?? 0)
      return position()
    },
    async save(settled) {
      if ((objects === null || changes === 0) && !outgrown) return
      if (!outgrown && changes < MOST_CHANGES && clock.monotonic() - savedMs < SAVE_MS) return
      await settled()
      await write()
    },
  }
}

function apply(objects: Objects, key: string, modifiedMs: number | null): void {
  if (modifiedMs === null) objects.delete(key)
  else objects.set(key, modifiedMs)
}
