/** Serves one source definition against a recording context, without bus or election: for tests of a source alone. */

import { type Clock, systemClock } from '../src/core/clock.ts'
import { isVedetteError, messageOf } from '../src/core/errors.ts'
import { eventId, randomId } from '../src/core/event.ts'
import { goJson } from '../src/core/json.ts'
import { silentLogger } from '../src/core/log.ts'
import {
  type Closable,
  type Emit,
  type Emitted,
  type FollowContext,
  type FollowDefinition,
  guaranteeOf,
  type HttpContext,
  type HttpRoute,
  type Predecessor,
  type PrepareContext,
  type ServeDefinition,
  type SourceDefinition,
} from '../src/source.ts'

/** What any kind of source is given. */
export type AnyContext<Spec, Position> = FollowContext<Spec, Position> &
  PrepareContext<Spec> &
  Omit<HttpContext<Spec>, 'emit'>

/** A type that serves on one replica, for tests that call or change its `serve`. */
export function serving<Spec, Position>(definition: SourceDefinition<Spec, Position>): ServeDefinition<Spec, Position> {
  if (definition.strategy === 'active-active' || definition.serve === undefined) throw new Error('it does not')
  return definition as ServeDefinition<Spec, Position>
}

/** Likewise, for a type that follows Argo Events' own Pods. */
export function following<Spec, Position>(
  definition: SourceDefinition<Spec, Position>,
): FollowDefinition<Spec, Position> {
  if (definition.follows === undefined) throw new Error('it does not')
  return definition
}

export interface Harness<Position> {
  emitted: (Emit<Position> & { text: string })[]
  advanced: Position[]
  /** As stored last, with an event or without; what a next leader resumes from. */
  position: Position | null
  /** Events that `failWith` has refused. */
  refused: Emit<Position>[]
  conditions: (string | null)[]
  /** How often the source said that it reads. */
  reads: number
  /** What was said to be skipped, with why. */
  skipped: string[]
  routes: HttpRoute[]
  /** The snapshot as last saved. */
  snapshot: Uint8Array | null
  /**
   * Makes the next emits fail with this; EVENT_TOO_LARGE and EVENT_INVALID as the pipeline does: skipped, unless a sender waits. With any
   * other, positions fail too that come after an event that was refused.
   */
  failWith: Error | null
  /** Makes the next saves of a snapshot fail with this. */
  failSaveWith: Error | null
  /** Calls back when `serve` has ended, with what it threw. */
  onEnd(listener: (error: unknown) => void): void
  /** Ends `serve` and returns what it threw, if it threw. */
  stop(): Promise<unknown>
  /** Resolves once `predicate` holds; throws after `timeoutMs`, and soon when `serve` has ended by an error, which nobody repeats here. */
  until(predicate: (harness: Harness<Position>) => boolean, timeoutMs?: number): Promise<void>
  context: AnyContext<any, Position>
}

/** So long after `serve` has ended something may still follow from that, milliseconds. */
const ENDED_MS = 2_000

export function serveInHarness<Spec, Position>(
  definition: SourceDefinition<Spec, Position>,
  rawSpec: unknown,
  {
    clock = systemClock,
    resume = null,
    snapshot = null,
    secrets = {},
    hookSecrets = {},
    http,
    prepareOnly = false,
    predecessor = null,
    commits = false,
  }: {
    clock?: Clock
    resume?: Position | null
    snapshot?: Uint8Array | null
    /** `{ '<name>/<key>': value }` */
    secrets?: Record<string, string>
    /** What a provider made, by target. */
    hookSecrets?: Record<string, string>
    http?: (route: HttpRoute, signal: AbortSignal) => Promise<void>
    prepareOnly?: boolean
    /** What Argo Events' own Pods left. */
    predecessor?: Predecessor | null
    /** What `ctx.commits` says. */
    commits?: boolean
  } = {},
): Harness<Position> {
  const controller = new AbortController()
  let kept: Closable | null = null
  const waiters = new Set<() => void>()
  const changed = () => {
    for (const waiter of waiters) waiter()
  }
  const secret = async ({ name, key }: { name: string; key: string }) => {
    const value = secrets[`${name}/${key}`]
    if (value === undefined) throw new Error(`no secret ${name}/${key}`)
    return value
  }
  const harness: Harness<Position> = {
    emitted: [],
    advanced: [],
    position: resume,
    refused: [],
    conditions: [],
    reads: 0,
    skipped: [],
    routes: [],
    snapshot,
    failWith: null,
    failSaveWith: null,
    context: undefined as never,
    onEnd(listener) {
      void served.then(listener)
    },
    async stop() {
      controller.abort()
      return await served
    },
    until(predicate, timeoutMs = 5000) {
      return new Promise((resolve, reject) => {
        const giveUp = (why: string, cause?: unknown) => {
          clearTimeout(timer)
          waiters.delete(check)
          const emitted = goJson(harness.emitted.map((e) => e.text)).slice(-2000)
          reject(new Error(`${why}; emitted: ${emitted}`, { cause }))
        }
        const timer = setTimeout(giveUp, timeoutMs, `not within ${timeoutMs} ms`)
        const check = () => {
          if (!predicate(harness)) return
          clearTimeout(timer)
          waiters.delete(check)
          resolve()
        }
        waiters.add(check)
        check()
        // What the test awaits may be a consequence of the end.
        harness.onEnd((error) => {
          if (error !== undefined && waiters.has(check))
            setTimeout(giveUp, ENDED_MS, `it has ended: ${messageOf(error)}`, error)
        })
      })
    },
  }
  harness.context = {
    spec: definition.spec.parse(rawSpec),
    entry: 'e',
    eventSource: 'es',
    namespace: 'default',
    signal: controller.signal,
    log: silentLogger,
    clock,
    secret,
    configMap: secret,
    condition(error) {
      harness.conditions.push(error)
      changed()
    },
    reading() {
      harness.reads++
      changed()
    },
    skip(what, error, fate) {
      harness.skipped.push(`${what}: ${messageOf(error)}${fate === undefined ? '' : `; ${fate}`}`)
      changed()
    },
    keep(connection) {
      kept = connection
    },
    kept() {
      const taken = kept
      kept = null
      return taken
    },
    async emit(event): Promise<Emitted> {
      const { failWith } = harness
      if (failWith !== null) {
        const never = isVedetteError(failWith, 'EVENT_TOO_LARGE', 'EVENT_INVALID')
        if (!never || (definition.strategy === 'active-active' && event.item === undefined)) {
          harness.refused.push(event)
          changed()
          throw failWith
        }
        harness.context.skip(event.item?.what ?? `event ${event.id}`, failWith, event.item?.fate)
        if (event.position !== undefined) await harness.context.advance(event.position)
        return { id: event.eventId ?? event.id ?? '', outcome: 'skipped' }
      }
      const text = typeof event.data === 'string' ? event.data : Buffer.from(event.data).toString()
      harness.emitted.push({ ...event, text })
      harness.position = event.position ?? harness.position
      changed()
      const id = event.eventId ?? (event.id === undefined ? randomId() : eventId('default', 'es', 'e', event.id))
      return { id, outcome: 'stored' }
    },
    commits: () => commits,
    async advance(position) {
      if (harness.failWith !== null && harness.refused.length > 0) throw harness.failWith
      harness.advanced.push(position)
      harness.position = position
      changed()
    },
    resume: () => resume,
    predecessor: () => predecessor,
    snapshot: {
      load: async () => harness.snapshot,
      async save(bytes) {
        if (harness.failSaveWith !== null) throw harness.failSaveWith
        harness.snapshot = bytes
        changed()
      },
    },
    async http(route) {
      harness.routes.push(route)
      await http?.(route, controller.signal)
      changed()
    },
    hookSecret: async (target) => hookSecrets[target] ?? null,
    hooksSettledMs: () => null,
  }
  const { spec } = harness.context
  /** What hot standby hears is handed over as the runtime of a leader does. */
  const listen = () =>
    definition.listen!({
      ...harness.context,
      subscribed: () => harness.context.condition(null),
      hear: (event) =>
        harness.context.emit(event).then(
          ({ outcome }) => outcome,
          () => null,
        ),
    })
  const work = async (): Promise<void> => {
    if (prepareOnly) return await definition.prepare?.(harness.context)
    if (guaranteeOf(definition, spec) === 'hot-standby') return await listen()
    if (definition.poll !== undefined) return await definition.poll(harness.context)
    await definition.serve?.(harness.context)
  }
  const served: Promise<unknown> = work().then(
    () => undefined,
    (error: unknown) => error,
  )
  return harness
}

/** What `serve` ends with, once it does by itself. */
export async function endOf(harness: Harness<any>): Promise<Error & { code?: string }> {
  return (await new Promise<unknown>((resolve) => harness.onEnd(resolve))) as Error & { code?: string }
}
