/**
 * What Argo Events' own Pods leave when they hand over to ours. They keep no position where we would find it, so a standby looks at the
 * origin while they still serve, and the first term compares with that look, and with what they told on the bus.
 */
import type { Bus, SourceRef } from '../bus/bus.ts'
import { asRead } from '../bus/outcome.ts'
import type { Clock } from '../core/clock.ts'
import { decodeEvent, eventData } from '../core/event.ts'
import { within } from '../core/signals.ts'
import type { Predecessor, Seen, Told } from '../source.ts'

/** How often it is looked whether they are there, and how soon again at an origin that could not be looked at. */
const NOTICE_MS = 200
const AGAIN_MS = 1_000
/**
 * Looks lie so far apart. They are taken to be there for as long after the last sign of life, so the older of two looks was taken while they still
 * served.
 */
const APART_MS = 60_000
/** Their elector gives the Lease back before it ends their worker: what that publishes last is to be on the bus. */
const ENDS_MS = 500
/** A read of the bus that has no answer by then is given up, and the entry begun anew. */
const READ_LIMIT_MS = 30_000

export interface PredecessorWatch {
  /** Looks at the origin while they serve, until `signal` aborts. Never rejects. */
  attend(signal: AbortSignal): Promise<void>
  /** Nothing is in the way of their end: it was looked at the origin, or that was tried and failed, or no look is needed (any more). */
  looked(): boolean
  /** @throws BUS_UNAVAILABLE */
  found(): Promise<Predecessor | null>
}

export function watchPredecessor({
  bus,
  source,
  entry,
  follows,
  look,
  beside,
  clock,
}: {
  bus: Pick<Bus, 'others'>
  source: SourceRef
  entry: string
  /** How many of their events are wanted; left out: nothing of all this. */
  follows: number | undefined
  look: (signal: AbortSignal) => Promise<unknown>
  /** They serve or did within the last minute, or nobody can tell yet. */
  beside: () => boolean
  clock: Clock
}): PredecessorWatch {
  /** At most two, the older one first. */
  let looks: Seen[] = []
  let tried = follows === undefined

  const lookAgain = async (signal: AbortSignal): Promise<void> => {
    const atMs = clock.now()
    const seen = await look(signal)
    looks = [...looks, { atMs, look: seen }].slice(-2)
  }

  return {
    async attend(signal) {
      if (follows === undefined) return
      looks = []
      let dueMs = 0
      while (!signal.aborted) {
        if (beside() && clock.monotonic() >= dueMs) {
          const soMs = await lookAgain(signal).then(
            () => APART_MS,
            () => AGAIN_MS,
          )
          dueMs = clock.monotonic() + soMs
          tried = true
        }
        await clock.sleep(NOTICE_MS, signal).catch(() => {})
      }
    },
    looked: () => tried,
    async found() {
      tried = true
      if (follows === undefined) return null
      if (beside()) await clock.sleep(ENDS_MS)
      const read = within(bus.others(source, entry, follows), READ_LIMIT_MS, clock)
      const events = await asRead(`reading what others told of ${entry}`, read)
      const told = events.flatMap(({ timeMs, event }) => payloadOf(timeMs, event))
      const [seen = null] = looks
      const more = events.length >= follows
      return told.length === 0 && seen === null ? null : { told, seen, ...(more ? { more } : {}) }
    },
  }
}

function payloadOf(storedMs: number, event: Uint8Array): Told[] {
  try {
    const decoded = decodeEvent(event)
    return [{ id: decoded.id, atMs: Date.parse(decoded.time) || storedMs, data: eventData(decoded).toString() }]
  } catch {
    // Somebody put it there that is nobody's Pod.
    return []
  }
}
