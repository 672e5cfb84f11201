/**
 * How far the receiver has taken the log, kept in the bus's key-value table. It belongs to the receiver's address without credentials and
 * query, so that a token can be changed; an address that has none yet goes on where this run's last one stood, so that what is
 * held is not lost when a receiver moves.
 */
import { createHash } from 'node:crypto'
import type { Bus, Stored } from '../../bus/bus.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { within } from '../../core/signals.ts'
import { firstSince, type Place, startOf } from './place.ts'
import type { Target } from './target.ts'

export interface Cursor {
  readonly place: Place
  /** Finds where to go on; at the first time, and then until it is on the bus. @throws what the bus throws */
  load(): Promise<void>
  /** An event was taken. */
  pass(stored: Pick<Stored, 'seq' | 'id'>): void
  move(place: Place): void
  /** Writes it unless that is done. Never rejects: it is written behind the deliveries, and the next time again. */
  save(): Promise<void>
}

export interface CursorOptions {
  bus: Bus
  target: Target
  /** Names this run among those that use the bus. */
  owner: string
  clock: Clock
  log: Logger
}

const SAVE_PATIENCE_MS = 30_000
/** A bus that could not be reached at the start may have taken events of others before the cursor could be written. */
const CLOCKS_APART_MS = 60_000

export function createCursor({ bus, target, owner, clock, log }: CursorOptions): Cursor {
  const [key, formerKey] = keysOf(target)
  const lastKey = `deliver-last/${hash(owner)}`
  const begunMs = clock.now()
  let place: Place | null = null
  let late = false
  let written: Place | null = null
  let failing = false

  const write = async (now: Place) => {
    const { seq, id, log: of, lost } = now
    const value = {
      seq,
      url: target.shown,
      ...(id === undefined ? {} : { id }),
      ...(of === undefined ? {} : { log: of }),
    }
    await bus.kv.put(key, Buffer.from(JSON.stringify({ ...value, ...(lost > 0 ? { lost } : {}) })))
    written = now
  }
  const kept = async (of: string) => {
    const found = await bus.kv.get(of)
    return found === null ? null : Buffer.from(found.value).toString('utf8')
  }
  /** What an address without a cursor takes over. */
  const inherited = async (): Promise<string | null> => {
    const former = await kept(formerKey)
    if (former !== null) return former
    const last = await kept(lastKey)
    return last === null || last === key ? null : await kept(last)
  }
  const find = async (): Promise<Place> => {
    const own = await kept(key)
    const text = own ?? (await inherited())
    const state = await bus.state()
    if (text === null) {
      const seq = late ? await firstSince(bus, state, begunMs - CLOCKS_APART_MS) : state.lastSeq
      log.info('deliveries begin with what is stored from now on', { url: target.shown, seq })
      return { seq, log: state.log, lost: 0 }
    }
    const found = placeIn(text)
    if (found === null) {
      log.warn('the delivery cursor cannot be read: everything on the log is delivered again', { url: target.shown })
      return { seq: startOf(state), log: state.log, lost: 0 }
    }
    if (own === null)
      log.info('deliveries go on where those to the address before stood', { url: target.shown, seq: found.seq })
    return { ...found, log: found.log ?? state.log }
  }

  return {
    get place() {
      return place ?? { seq: 0, lost: 0 }
    },
    async load() {
      if (written !== null) return
      try {
        const found = place ?? (await find())
        place ??= found
        await write(place)
        await bus.kv.put(lastKey, Buffer.from(key))
      } catch (error) {
        late = true
        written = null
        throw error
      }
    },
    pass({ seq, id }) {
      if (place !== null) place = { ...place, seq, id }
    },
    move(to) {
      place = to
    },
    async save() {
      if (place === null || written === null || place === written) return
      try {
        await within(write(place), SAVE_PATIENCE_MS, clock)
        if (failing) log.info('the delivery cursor is written again', { url: target.shown })
        failing = false
      } catch (error) {
        if (!failing)
          log.warn('the delivery cursor cannot be written; until it is, a restart delivers again from where it was', {
            url: target.shown,
            seq: written.seq,
            error,
          })
        failing = true
      }
    },
  }
}

/** @returns null for what is none */
function placeIn(text: string): Place | null {
  try {
    const { seq, id, log, lost } = JSON.parse(text) as Record<string, unknown>
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return null
    return {
      seq,
      ...(typeof id === 'string' ? { id } : {}),
      ...(typeof log === 'string' ? { log } : {}),
      lost: typeof lost === 'number' && Number.isSafeInteger(lost) && lost > 0 ? lost : 0,
    }
  } catch {
    return null
  }
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32)

/** The second: as it was before a query could be changed. */
const keysOf = ({ url, place }: Target): [string, string] => [`deliver/${hash(place)}`, `deliver/${hash(url)}`]
