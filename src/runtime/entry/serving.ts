/** An entry that serves: one call of its source after the other, each with what it emitted settled. */
import type { Outcome } from '../../bus/bus.ts'
import { asRead } from '../../bus/outcome.ts'
import { fail } from '../../core/errors.ts'
import { within } from '../../core/signals.ts'
import { type Attempt, attempt } from '../attempt.ts'
import { createPipeline, eventFilter, type Pipeline, type Sink } from '../pipeline.ts'
import type { PredecessorWatch } from '../predecessor.ts'
import type { Ear } from '../standby/ear.ts'
import type { Activity, Watchdog } from '../watchdog.ts'
import { httpContext, type Lead, pollContext, serveContext } from './contexts.ts'
import { createPort, type Port } from './port.ts'
import { keepTrying } from './retrying.ts'
import type { Shared, WatchAttempt } from './shared.ts'

/** A read of the bus that has no answer by then is given up, and the entry begun anew. */
const READ_LIMIT_MS = 30_000

export interface ServingOptions {
  watched: WatchAttempt
  /** Of a hot standby. */
  ear: Ear | null
  predecessors: Pick<PredecessorWatch, 'found'>
}

export interface Serving {
  /** Until `signal` aborts. @param stored the entry's position on the bus */
  serve(sink: Sink, stored: unknown, signal: AbortSignal): Promise<void>
  /** Told to serve, whether it does or not. */
  begun(): boolean
  /** Neither before its source has begun to read, nor while that waits for its next try. */
  serves(): boolean
  /** What the attempt that serves now does; null: there is none. */
  activity(): Activity | null
  /** The last position known durable, in stored form. */
  position(): unknown
}

export function createServing(shared: Shared, { watched, ear, predecessors }: ServingOptions): Serving {
  const { options, account, changed } = shared
  const { entry, log } = options
  const filter = eventFilter(entry.filter)
  const port = createPort(shared)
  let position: unknown = null
  let begun = false
  let watch: Watchdog | null = null

  /** @throws STALLED when it stood still; what the source throws */
  const serveOnce = async (sink: Sink, ends: AbortSignal): Promise<void> => {
    const recalled = await recall(shared)
    const predecessor = await predecessors.found()
    const pipeline = pipelineInto(shared, { sink: notingIn(ear, sink), recalled, filter, position })
    const lead = { pipeline, stored: position, snapshot: sink.snapshot(entry.name), predecessor }
    const work = async (now: Attempt): Promise<void> => {
      watch = now.watchdog
      await (ear === null ? callSource(shared, now, lead, port) : leadOf(ear, shared, now, pipeline))
    }
    const wrapUp = async (): Promise<void> => {
      await port.closed()
      await pipeline.settle()
    }
    try {
      const returned = await attempt(watched(ends, sink.busy), work, wrapUp)
      if (!returned) log.error('the source does not stop; what it still emits is refused')
      else if (!ends.aborted) throw fail('ORIGIN_UNAVAILABLE', 'the source ended by itself')
    } finally {
      pipeline.end()
      watch = null
      position = pipeline.position()
    }
  }

  return {
    async serve(sink, stored, signal) {
      position = stored
      begun = true
      changed()
      await keepTrying(shared, signal, () => serveOnce(sink, signal))
      shared.kept.close()
      begun = false
      changed()
    },
    begun: () => begun,
    serves: () => begun && port.accepting() && !account.ended && watch !== null && !watch.starting(),
    activity: () => watch?.activity() ?? null,
    position: () => position,
  }
}

/** Calls the source with what its kind is given. */
async function callSource(shared: Shared, now: Attempt, lead: Lead, port: Port): Promise<void> {
  const { definition } = shared.options
  if (definition.poll !== undefined) return await definition.poll(pollContext(shared, now, lead.pipeline))
  if (definition.listens !== undefined) return await definition.serve(httpContext(shared, now, lead.pipeline, port))
  await definition.serve?.(serveContext(shared, now, lead))
}

/** A hot standby that leads: what it hears is published. */
async function leadOf(ear: Ear, shared: Shared, now: Attempt, pipeline: Pipeline): Promise<void> {
  const { emit, reading, condition } = pollContext(shared, now, pipeline)
  await ear.lead(emit, now.signal, { caughtUp: () => reading(), condition })
}

/** What the bus has of this entry from before it was asked for by position. @throws BUS_UNAVAILABLE */
async function recall({ options, source }: Shared): Promise<Set<string>> {
  const { definition, entry, bus, clock } = options
  if (definition.recall === undefined) return new Set()
  const read = bus.tail(source, entry.name, definition.recall)
  const recalled = await asRead(`reading the last events of ${entry.name}`, within(read, READ_LIMIT_MS, clock))
  return new Set(recalled.map(({ id }) => id))
}

function pipelineInto(
  { options, account, fingerprint }: Shared,
  into: Pick<Parameters<typeof createPipeline>[0], 'sink' | 'recalled' | 'filter' | 'position'>,
): Pipeline {
  const { namespace, eventSource, entry, definition, clock, maxEventBytes } = options
  return createPipeline({
    ...{ namespace, eventSource, entry: entry.name, eventType: definition.eventType ?? definition.type },
    ...{ fingerprint, fenced: definition.strategy === 'active-passive', clock, account, maxEventBytes },
    ...into,
  })
}

/** A hot standby is told what it has written itself. */
function notingIn(ear: Ear | null, sink: Sink): Sink {
  if (ear === null) return sink
  const noting = async (append: Promise<Outcome>): Promise<Outcome> => {
    const outcome = await append
    if (outcome.outcome === 'stored') ear.wrote(outcome.seq)
    return outcome
  }
  return { ...sink, append: (member) => noting(sink.append(member)) }
}
