/**
 * The bus port over a connection that carries requests: shared by the embedded client and the memory twin. Turns what may
 * happen to a request (answered, certainly not done, fate unknown) into the port's outcomes.
 */
import type { Clock } from '../../core/clock.ts'
import { fail, VedetteError } from '../../core/errors.ts'
import {
  type Advance,
  type Append,
  type Bus,
  type BusStatus,
  bytesOf,
  type Fenced,
  isAppend,
  type Outcome,
  type ReadOptions,
  type Stored,
} from '../bus.ts'
import { asRead, outcomeOf, outcomeOfError } from '../outcome.ts'
import { partsOf } from '../parts.ts'
import type { WireLease } from './leases.ts'
import type { Page, PageRequest } from './reading.ts'
import type { Input, Operation, Output, Push } from './request.ts'
import type { WireFence, WireOutcome } from './rules.ts'
import type { LeaseValue } from './tables.ts'

/** A connection to the bus that heals itself. */
export interface Transport {
  /**
   * @throws BUS_UNAVAILABLE, BUS_BUSY, BUS_FULL certainly not done; OUTCOME_UNKNOWN may have been, or may yet be; or what the bus answered
   */
  call<O extends Operation>(operation: O, input: Input<O>): Promise<Output<O>>
  status(): BusStatus
  onStatus(listener: (status: BusStatus) => void): () => void
  onPush(listener: (push: Push) => void): () => void
  close(): Promise<void>
}

/** What ha/locks/embedded.ts needs beside the port. */
export interface LeaseBus extends Bus {
  /** @throws BUS_UNAVAILABLE, BUS_BUSY, OUTCOME_UNKNOWN */
  readLease(name: string): Promise<WireLease | null>
  /** @throws BUS_UNAVAILABLE, BUS_BUSY certainly not written; OUTCOME_UNKNOWN */
  writeLease(name: string, record: LeaseValue, expected: string | null): Promise<WireLease | null>
  /** Calls back with the name of a lease that may have changed; with null when any may have (after a reconnect). */
  onLease(listener: (name: string | null) => void): () => void
  /** Calls back with the holder of a lease whose process has gone. */
  onSuspect(listener: (holder: string) => void): () => void
}

/** What `claim` hands out: the port's fence and the nonce that proves it. */
interface EmbeddedFence extends Fenced {
  readonly nonce: string
}

/** A request holds at most about this many bytes of events; a batch beyond it goes in parts, in order. */
const REQUEST = { bytes: 8 << 20, members: 4096 }
/** Fits into a frame. */
const MAX_SNAPSHOT_BYTES = 24 << 20
/** When a follower hears nothing it looks all the same. */
const FOLLOW_POLL_MS = 1000

export function busOver(
  kind: 'embedded' | 'memory',
  transport: Transport,
  { clock, maxEventBytes }: { clock: Clock; maxEventBytes: number },
): LeaseBus {
  const { call } = transport

  async function sendParts<M extends Append | Advance>(
    batch: M[],
    fenced: boolean,
    send: (part: M[]) => Promise<WireOutcome[]>,
  ): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const part of partsOf(batch, bytesOf, REQUEST)) {
      const before = outcomes.at(-1)
      if (fenced && before !== undefined && 'error' in before && before.outcome !== 'refused') {
        outcomes.push(...part.map(() => before))
        continue
      }
      try {
        outcomes.push(...(await send(part)).map(asOutcome))
      } catch (error) {
        const outcome = outcomeOfError(error)
        outcomes.push(...part.map(() => outcome))
      }
    }
    return outcomes
  }

  /** Sends without the members that are too large, of which only the position travels. */
  async function sendFitting<M extends Append | Advance>(
    batch: M[],
    fenced: boolean,
    send: (part: M[]) => Promise<WireOutcome[]>,
  ): Promise<Outcome[]> {
    const tooLarge = (member: M) => isAppend(member) && member.event.byteLength > maxEventBytes
    if (!batch.some(tooLarge)) return await sendParts(batch, fenced, send)
    const fitting = batch.flatMap((member): M[] => {
      if (!tooLarge(member)) return [member]
      return fenced ? [{ entry: member.entry, position: member.position } as M] : []
    })
    const outcomes = await sendParts(fitting, fenced, send)
    let next = 0
    return batch.map((member) => {
      if (!tooLarge(member)) return outcomes[next++] as Outcome
      const fate = fenced ? (outcomes[next++] as Outcome) : undefined
      return fate === undefined || fate.outcome === 'stored' ? refusedForSize(member as Append, maxEventBytes) : fate
    })
  }

  /** Many readers at one place, all at the end as a rule, ask once and hold the same answer. */
  const asked = new Map<string, Promise<Page>>()
  function askPage(request: PageRequest): Promise<Page> {
    const key = JSON.stringify(request)
    const before = asked.get(key)
    if (before !== undefined) return before
    const page = call('page', request).finally(() => asked.delete(key))
    asked.set(key, page)
    return page
  }

  async function* read({ from = 0, namespace, eventSource, entry, follow = false, signal }: ReadOptions = {}) {
    let wake: (() => void) | undefined
    let heard = false
    const hear = () => {
      heard = true
      wake?.()
    }
    const forget = [
      transport.onPush((push) => push.push === 'advanced' && hear()),
      transport.onStatus((status) => status.connected && hear()),
    ]
    signal?.addEventListener('abort', hear)
    try {
      for (let next = Math.ceil(from); !signal?.aborted; ) {
        heard = false
        const answer = asRead('reading the log', askPage({ from: next, namespace, eventSource, entry }))
        const page = await answer.catch((error: unknown) => {
          if (follow && error instanceof VedetteError && error.class === 'transient') return null
          throw error
        })
        for (const event of page?.events ?? []) {
          if (signal?.aborted) return
          yield event
        }
        next = page?.next ?? next
        if (page !== null && !page.end) continue
        if (!follow) return
        await new Promise<void>((resolve) => {
          if (heard || signal?.aborted) return resolve()
          const cancel = clock.after(FOLLOW_POLL_MS, resolve)
          wake = () => {
            cancel()
            resolve()
          }
        })
      }
    } finally {
      for (const stop of forget) stop()
      signal?.removeEventListener('abort', hear)
    }
  }

  return {
    kind,
    fencing: 'strict',
    maxEventBytes,
    status: transport.status,
    onStatus: transport.onStatus,
    async claim(source, claim) {
      const { term, positions } = await call('claim', { source, claim })
      return { source, term, positions: new Map(positions), fencing: 'strict', nonce: claim.nonce } as EmbeddedFence
    },
    appendFenced: (fence, batch) =>
      sendFitting(batch, true, (part) => call('appendFenced', { fence: wireFence(fence), batch: part })),
    append: (source, batch) => sendFitting(batch, false, (part) => call('append', { source, batch: part })),
    tail: (source, entry, limit): Promise<Stored[]> =>
      asRead('reading the last events', call('tail', { source, entry, limit })),
    // Nobody else reaches it.
    others: async () => [],
    read,
    state: () => asRead('asking for the state of the log', call('state', {})),
    loadSnapshot: (source, entry) => asRead('reading the snapshot', call('loadSnapshot', { source, entry })),
    async saveSnapshot(fence, entry, bytes) {
      if (bytes.byteLength > MAX_SNAPSHOT_BYTES) {
        const message = `the snapshot of ${entry} has ${bytes.byteLength} bytes, more than ${MAX_SNAPSHOT_BYTES}`
        return { outcome: 'refused', error: fail('VALUE_TOO_LARGE', message) }
      }
      return await outcomeOf(call('saveSnapshot', { fence: wireFence(fence), entry, bytes }))
    },
    kv: {
      get: (key) => asRead('reading a value', call('get', { key })),
      put: (key, value, expected) => call('put', { key, value, expected }),
      async delete(key) {
        await call('delete', { key })
      },
    },
    readLease: (name) => call('readLease', { name }),
    writeLease: (name, record, expected) => call('writeLease', { name, record, expected }),
    onLease(listener) {
      const forget = [
        transport.onPush((push) => push.push === 'lease' && listener(push.name)),
        transport.onStatus((status) => status.connected && listener(null)),
      ]
      return () => {
        for (const stop of forget) stop()
      }
    },
    onSuspect: (listener) => transport.onPush((push) => push.push === 'suspect' && listener(push.holder)),
    close: transport.close,
  }
}

function wireFence({ source, term, nonce }: Fenced & { nonce?: string }): WireFence {
  if (nonce === undefined) throw fail('BUG', 'this fence was not made by this bus')
  return { source, term, nonce }
}

function asOutcome(wire: WireOutcome): Outcome {
  if (wire === 0) return { outcome: 'duplicate' }
  if (wire === -1) return { outcome: 'stored', seq: 0 }
  if (typeof wire === 'number') return { outcome: 'stored', seq: wire }
  return { outcome: wire[0], error: fail(wire[1], wire[2]) }
}

function refusedForSize({ event, entry }: Append, maxEventBytes: number): Outcome {
  const message = `the event of ${entry} has ${event.byteLength} bytes, more than the ${maxEventBytes} the bus stores`
  return { outcome: 'refused', error: fail('EVENT_TOO_LARGE', `${message}; make the payload smaller or filter it`) }
}
