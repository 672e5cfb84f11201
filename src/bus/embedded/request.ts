/** The requests of a client and what the bus answers: one table for the bus process and for the memory twin. */
import { type ErrorCode, fail, messageOf, VedetteError } from '../../core/errors.ts'
import type { Advance, Append, Claim, LogState, SourceRef, Stored } from '../bus.ts'
import { putValue, readLease, type WireLease, writeLease } from './leases.ts'
import { finish, type Page, type PageRequest, readPage, readState, readTail, type Steps } from './reading.ts'
import {
  append,
  appendFenced,
  type Circumstances,
  claim,
  saveSnapshot,
  type WireFence,
  type WireOutcome,
} from './rules.ts'
import { entryKey, type LeaseValue, type StoredValue, type Tables } from './tables.ts'

/** Name → what goes out, what comes back. */
export interface Operations {
  append: { in: { source: SourceRef; batch: Append[] }; out: WireOutcome[] }
  appendFenced: { in: { fence: WireFence; batch: (Append | Advance)[] }; out: WireOutcome[] }
  claim: { in: { source: SourceRef; claim: Claim }; out: { term: number; positions: [string, unknown][] } }
  writeLease: { in: { name: string; record: LeaseValue; expected: string | null }; out: WireLease | null }
  put: { in: { key: string; value: Uint8Array; expected?: number | undefined }; out: number | null }
  delete: { in: { key: string }; out: null }
  saveSnapshot: { in: { fence: WireFence; entry: string; bytes: Uint8Array }; out: null }
  readLease: { in: { name: string }; out: WireLease | null }
  get: { in: { key: string }; out: StoredValue | null }
  loadSnapshot: { in: { source: SourceRef; entry: string }; out: Uint8Array | null }
  tail: { in: { source: SourceRef; entry: string; limit: number }; out: Stored[] }
  page: { in: PageRequest; out: Page }
  state: { in: Record<string, never>; out: LogState }
  /** Answers at once: whether the bus is alive. */
  ping: { in: Record<string, never>; out: null }
}
export type Operation = keyof Operations
export type Input<O extends Operation> = Operations[O]['in']
export type Output<O extends Operation> = Operations[O]['out']

/** What the bus says unasked. */
export type Push =
  /** The log has grown; `readPage` may find more. */
  | { push: 'advanced'; seq: number }
  | { push: 'lease'; name: string }
  /** The process that last wrote this holder's lease has closed its connection. */
  | { push: 'suspect'; holder: string }

type Handler<O extends Operation> = (tables: Tables, at: Circumstances, input: Input<O>) => Output<O>

/** Each runs in one transaction, durable before its answer. */
const writes = {
  append: (tables, at, { source, batch }) => append(tables, at, source, batch),
  appendFenced: (tables, at, { fence, batch }) => appendFenced(tables, at, fence, batch),
  claim: (tables, at, input) => claim(tables, at, input.source, input.claim),
  writeLease: (tables, at, { name, record, expected }) => writeLease(tables, at, name, record, expected),
  put: (tables, at, { key, value, expected }) => putValue(tables, at, key, value, expected),
  delete(tables, _at, { key }) {
    tables.kv.remove(key)
    return null
  },
  saveSnapshot(tables, at, { fence, entry, bytes }) {
    saveSnapshot(tables, at, fence, entry, bytes)
    return null
  },
} satisfies { [O in Operation]?: Handler<O> }

type LongRead<O extends Operation> = (tables: Tables, input: Input<O>) => Steps<Output<O>>

/** Those of several steps. lmdb's ranges are not kept between two (see lmdb.ts). */
const longReads = {
  tail: (tables, { source, entry, limit }) => readTail(tables, source, entry, limit),
  state: (tables) => readState(tables),
} satisfies { [O in Operation]?: LongRead<O> }

const reads = {
  readLease: (tables, _at, { name }) => readLease(tables, name),
  get: (tables, _at, { key }) => tables.kv.get(key) ?? null,
  loadSnapshot: (tables, _at, { source, entry }) => tables.snapshots.get(entryKey(source, entry)) ?? null,
  tail: (tables, _at, input) => finish(longReads.tail(tables, input)),
  page: (tables, _at, input) => readPage(tables, input),
  state: (tables) => finish(longReads.state(tables)),
  ping: () => null,
} satisfies { [O in Operation]?: Handler<O> }

export function isWrite(operation: string): operation is keyof typeof writes {
  return Object.hasOwn(writes, operation)
}

export function isOperation(operation: string): operation is Operation {
  return isWrite(operation) || Object.hasOwn(reads, operation)
}

type LongOperation = keyof typeof longReads | 'page'

/** A read that looks at much: to be done step by step where others wait, see {@link stepsOf}. */
export function isLong(operation: Operation): operation is LongOperation {
  return operation === 'page' || Object.hasOwn(longReads, operation)
}

export function* stepsOf<O extends LongOperation>(tables: Tables, operation: O, input: Input<O>): Steps<Output<O>> {
  if (operation === 'page') return readPage(tables, input as PageRequest) as Output<O>
  const read = longReads[operation as keyof typeof longReads] as LongRead<O>
  return yield* read(tables, input)
}

/** True for the writes that make the store grow, which a full store refuses while leases and terms still go through. */
export function grows(operation: Operation): boolean {
  return operation === 'append' || operation === 'appendFenced' || operation === 'put' || operation === 'saveSnapshot'
}

/**
 * Does what one request asks. To be called inside a transaction when `isWrite(operation)`.
 * @throws VedetteError what the client is to be told; anything else is a damaged request or our bug
 */
export function perform<O extends Operation>(
  tables: Tables,
  at: Circumstances,
  operation: O,
  input: Input<O>,
): Output<O> {
  const handlers: Record<string, Handler<any>> = isWrite(operation) ? writes : reads
  const handler = handlers[operation] as Handler<O> | undefined
  if (handler === undefined) throw fail('BUG', `the bus knows no operation ${JSON.stringify(operation)}`)
  return handler(tables, at, input)
}

export interface WireError {
  code: ErrorCode
  message: string
}

export function toWireError(error: unknown): WireError {
  return error instanceof VedetteError
    ? { code: error.code, message: error.message }
    : { code: 'BUG', message: messageOf(error) }
}
