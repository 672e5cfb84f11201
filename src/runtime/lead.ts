/** What a replica does while it leads: its active-passive entries served under one fence after another. */
import type { Bus, Fenced, Outcome, SourceRef } from '../bus/bus.ts'
import { asRead, outcomeOfError } from '../bus/outcome.ts'
import type { Clock } from '../core/clock.ts'
import { fail, isVedetteError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { patiently, whenAborted, within } from '../core/signals.ts'
import type { Lead } from '../ha/elector.ts'
import type { EntryRunner } from './entry.ts'
import type { Sink } from './pipeline.ts'
import { createFencedPublisher } from './publisher.ts'

/** An entry that runs, with the switch that ends it. */
export interface Running {
  runner: EntryRunner
  /** Ends it; resolves when it has stopped and what it emitted has an outcome. */
  halt(): Promise<void>
  done: Promise<void>
}

/** Serves an entry until it is halted or `ends` aborts. @param stored its position on the bus */
export function run(runner: EntryRunner, sink: Sink, stored: unknown, ends: AbortSignal): Running {
  const stop = new AbortController()
  const done = runner.serve(sink, stored, AbortSignal.any([stop.signal, ends]))
  return {
    runner,
    done,
    async halt() {
      stop.abort()
      await done
    },
  }
}

export interface Leadership {
  /** Serves until the lead ends, claiming anew after each unknown outcome. */
  serve(held: Lead<Fenced>): Promise<void>
  /** True while entries are served. */
  readonly leading: boolean
  /** Puts a changed entry in the place of the one before it, at the position that one reached. */
  replace(runner: EntryRunner): Promise<void>
  drop(entry: string): Promise<void>
}

/** How long a hand-over waits for what is in flight. */
const DRAIN_PATIENCE_MS = 10_000
/** A snapshot that was not read or written by then is given up: large ones go in many parts. */
const SNAPSHOT_LIMIT_MS = 60_000

export function createLeadership({
  bus,
  source,
  clock,
  log,
  entries,
  onChange,
  onFailing,
}: {
  bus: Bus
  source: SourceRef
  clock: Clock
  log: Logger
  /** The active-passive entries, as they are when a term begins. */
  entries: () => Iterable<EntryRunner>
  onChange: () => void
  /** The bus takes nothing from this replica, and the lead is handed over because of that. */
  onFailing: () => void
}): Leadership {
  let term: { sink: Sink; positions: Map<string, unknown>; signal: AbortSignal; running: Map<string, Running> } | null =
    null

  /** Serves under one fence until the lead ends or an outcome is unknown. @returns true to claim anew and go on */
  const serveTerm = async (fence: Fenced, held: Lead<Fenced>): Promise<boolean> => {
    const doubt = new AbortController()
    const signal = AbortSignal.any([held.signal, doubt.signal])
    const onLost = (error: unknown) => held.lost(error)
    const onUnknown = (error: unknown) => {
      if (signal.aborted) return
      log.warn('the outcome of a write is unknown: claiming anew and reading positions', { error })
      doubt.abort(error)
    }
    const publisher = createFencedPublisher({
      ...{ bus, fence, clock, log, onLost, onUnknown },
      onFailing: (sinceMs) => held.failing(sinceMs) && onFailing(),
    })
    /** What every fenced write comes to: a refused term and an unknown outcome end this term, whoever wrote. @throws what became of it */
    const settled = (outcome: Outcome): void => {
      switch (outcome.outcome) {
        case 'stored':
        case 'duplicate':
          return
        case 'fenced':
          onLost(outcome.error)
          throw outcome.error
        case 'unknown':
          onUnknown(outcome.error)
          throw outcome.error
        case 'refused':
        case 'unavailable':
          throw outcome.error
        default:
          throw fail('BUG', `an outcome that nobody acts on: ${outcome satisfies never}`)
      }
    }
    const inTime = (write: Promise<Outcome>): Promise<Outcome> =>
      within(write, SNAPSHOT_LIMIT_MS, clock).catch(outcomeOfError)
    const sink: Sink = {
      append: (member) => publisher.append(member),
      ready: () => publisher.ready(),
      busy: () => publisher.pending > 0,
      snapshot: (entry) => ({
        load: () =>
          asRead(`reading the snapshot of ${entry}`, within(bus.loadSnapshot(source, entry), SNAPSHOT_LIMIT_MS, clock)),
        save: async (bytes) => settled(await inTime(bus.saveSnapshot(fence, entry, bytes))),
      }),
    }
    const running = new Map<string, Running>()
    term = { sink, positions: new Map(fence.positions), signal, running }
    for (const runner of entries()) {
      running.set(runner.entry.name, run(runner, sink, fence.positions.get(runner.entry.name), signal))
    }
    onChange()
    await whenAborted(signal)
    // Refused once, refused always: whoever still waits for the bus need not.
    if (isVedetteError(signal.reason, 'FENCED')) publisher.close(signal.reason)
    await Promise.all([...running.values()].map(({ done }) => done))
    term = null
    if (!doubt.signal.aborted) await patiently(publisher.drain(), { signal, clock, patienceMs: DRAIN_PATIENCE_MS })
    publisher.close(signal.reason)
    return doubt.signal.aborted && !held.signal.aborted
  }

  /** A new term under the same lease; null when the lead is gone. */
  const claimAnew = (held: Lead<Fenced>): Promise<Fenced | null> => held.reclaim().catch(() => null)

  return {
    async serve(held) {
      let fence: Fenced | null = held.fenced
      while (fence !== null && (await serveTerm(fence, held))) fence = await claimAnew(held)
      onChange()
    },
    get leading() {
      return term !== null
    },
    async replace(runner) {
      const current = term
      if (current === null) return
      const { name } = runner.entry
      const before = current.running.get(name)
      await before?.halt()
      const position = before?.runner.position() ?? current.positions.get(name)
      current.running.set(name, run(runner, current.sink, position, current.signal))
    },
    async drop(entry) {
      const current = term
      const running = current?.running.get(entry)
      if (current === null || running === undefined) return
      current.running.delete(entry)
      await running.halt()
      current.positions.set(entry, running.runner.position())
    },
  }
}
