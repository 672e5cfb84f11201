/** The routes of one port: who has which endpoint, and who answers a path. */
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Redact } from '../../core/redact.ts'
import { type Endpoint, parseEndpoint } from '../../source/endpoint.ts'
import type { HttpAnswer, HttpRoute } from '../../source.ts'
import type { Certificate } from './certificate.ts'

/** One registration of a route. */
export interface Registration {
  owner: string
  route: HttpRoute
  /** Refuses a request by its `Authorization` header; absent: all are let in. */
  guard?: ((authorization: string | undefined) => Promise<HttpAnswer | null>) | undefined
  /** Takes a token of the route's rate limit: 0, or the milliseconds until there is one; absent: no limit. */
  takeToken?: (() => number) | undefined
  /** Reads the certificate of the route; absent: plain HTTP. */
  certificate?: (() => Promise<Certificate>) | undefined
  log: Logger
  /** Of what a sender is told. */
  redact: Redact
}

/** An endpoint that some entry will serve. */
export interface Expected {
  endpoint: string
  pattern: Endpoint
}

/** An endpoint and who serves it now: nobody for a moment while a changed file is applied. */
export interface Slot {
  readonly endpoint: string
  /** Port and endpoint: what requests for it are counted under. */
  readonly name: string
  readonly current: Registration | null
  /** Resolves with the registration once there is one, or null when `ms` have passed or {@link Routes.giveUp} was called. */
  wait(ms: number): Promise<Registration | null>
}

export interface Routes {
  /**
   * Puts a registration in its endpoint's slot, in the place of the owner's former one.
   * @throws PORT_IN_USE when another owner serves the endpoint; SPEC_INVALID
   */
  add(registration: Registration): void
  /** Empties the slot if `registration` still has it; after the grace nobody knows the endpoint any more. */
  remove(registration: Registration): void
  find(path: string): { slot: Slot; params: Record<string, string> } | null
  /** The registrations that serve now. */
  active(): Registration[]
  /** Nobody waits for a route any longer; no timer is left. */
  giveUp(): void
}

interface OwnSlot extends Slot {
  current: Registration | null
  pattern: Endpoint
  waiting: Set<(registration: Registration | null) => void>
  /** Cancels the end of the grace. */
  keep: () => void
}

const noParams: Record<string, string> = Object.freeze({})

/**
 * @param expected endpoints of entries that do not serve yet, or not now: asked for, they are waited for like those being replaced
 * @param onEmpty no endpoint is known any more
 */
export function createRoutes({
  port,
  clock,
  graceMs,
  expected,
  onEmpty,
}: {
  port: number
  clock: Clock
  graceMs: number
  expected: () => Iterable<Expected>
  onEmpty: () => void
}): Routes {
  // Literal endpoints are found by name; templates are tried in the order of their registration.
  const literals = new Map<string, OwnSlot>()
  const templates = new Map<string, OwnSlot>()
  const slots = () => [...literals.values(), ...templates.values()]
  let givenUp = false

  const forget = (slot: OwnSlot) => {
    literals.delete(slot.endpoint)
    templates.delete(slot.endpoint)
    if (literals.size + templates.size === 0) onEmpty()
  }

  const makeSlot = (endpoint: string): OwnSlot => {
    const slot: OwnSlot = {
      endpoint,
      name: `${port}${endpoint}`,
      current: null,
      pattern: parseEndpoint(endpoint),
      waiting: new Set(),
      keep: () => {},
      wait(ms) {
        if (slot.current !== null || givenUp) return Promise.resolve(slot.current)
        return new Promise((resolve) => {
          const settle = (registration: Registration | null) => {
            cancel()
            slot.waiting.delete(settle)
            resolve(registration)
          }
          const cancel = clock.after(ms, () => settle(slot.current))
          slot.waiting.add(settle)
        })
      },
    }
    const table = slot.pattern.literal ? literals : templates
    table.set(endpoint, slot)
    return slot
  }

  return {
    add(registration) {
      const { endpoint } = registration.route
      const slot = literals.get(endpoint) ?? templates.get(endpoint) ?? makeSlot(endpoint)
      if (slot.current !== null && slot.current.owner !== registration.owner) {
        throw fail(
          'PORT_IN_USE',
          `port ${port} endpoint ${endpoint} is wanted by ${registration.owner} but served for ${slot.current.owner}: give one of them another endpoint or port`,
          { port, endpoint },
        )
      }
      slot.keep()
      slot.current = registration
      for (const settle of [...slot.waiting]) settle(registration)
    },
    remove(registration) {
      const slot = slots().find(({ current }) => current === registration)
      if (slot === undefined) return
      slot.current = null
      if (givenUp) return
      slot.keep = clock.after(graceMs, () => forget(slot))
    },
    find(path) {
      const exact = literals.get(path)
      if (exact !== undefined) return { slot: exact, params: noParams }
      for (const slot of templates.values()) {
        const params = slot.pattern.match(path)
        if (params !== null) return { slot, params }
      }
      for (const { endpoint, pattern } of expected()) {
        const params = pattern.match(path)
        if (params === null) continue
        const slot = makeSlot(endpoint)
        slot.keep = clock.after(graceMs, () => forget(slot))
        return { slot, params }
      }
      return null
    },
    active: () => slots().flatMap(({ current }) => current ?? []),
    giveUp() {
      givenUp = true
      for (const slot of slots()) {
        slot.keep()
        for (const settle of [...slot.waiting]) settle(null)
      }
    },
  }
}
