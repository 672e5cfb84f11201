/**
 * What the bus does with a write, as pure functions over its tables. Each runs inside one transaction, so every check stands in
 * the same atomic step as the write it guards. All checks of a request come before its first write.
 */
import { type ErrorCode, fail } from '../../core/errors.ts'
import { nextTerm } from '../../core/term.ts'
import { type Advance, type Append, type Claim, isAppend, type SourceRef, sourceKey } from '../bus.ts'
import { entryKey, type LogRecord, type Tables, weightOf } from './tables.ts'

/** The circumstances of one request. */
export interface Circumstances {
  /** Wall clock of the bus. */
  nowMs: number
  /** The incarnation that the client belongs to. */
  incarnation: number
  /** How long an id is remembered, milliseconds. */
  dedupMs: number
}

/** An outcome as it travels: a sequence number (stored), 0 (duplicate), -1 (a position moved on), or why not. */
export type WireOutcome = number | ['fenced' | 'refused', ErrorCode, string]

/** A fence as it travels. */
export interface WireFence {
  source: SourceRef
  term: number
  nonce: string
}

const MAX_NAME = 253
const MAX_ENTRY = 512
const MAX_ID = 1024

export function append(tables: Tables, at: Circumstances, source: SourceRef, batch: Append[]): WireOutcome[] {
  const ended = endedIncarnation(tables, at)
  if (ended !== null) return batch.map(() => ended)
  return batch.map((member) => store(tables, at, source, member, undefined))
}

export function appendFenced(
  tables: Tables,
  at: Circumstances,
  { source, term, nonce }: WireFence,
  batch: (Append | Advance)[],
): WireOutcome[] {
  const refusal = endedIncarnation(tables, at) ?? supersededTerm(tables, source, term, nonce)
  if (refusal !== null) return batch.map(() => refusal)
  return batch.map((member) => {
    const outcome = isAppend(member) ? store(tables, at, source, member, term) : advance(source, member.entry)
    // Whatever became of the event, it will never be stored later: its position is passed.
    if (member.position !== undefined && entryProblem(member.entry) === null) {
      tables.positions.put(entryKey(source, member.entry), member.position)
    }
    return outcome
  })
}

/**
 * Writes a new term record; the lease must be held by the claimer, which is looked at in this same transaction. The same nonce
 * again gives the same term: the claim whose answer was lost.
 * @throws FENCED
 */
export function claim(
  tables: Tables,
  at: Circumstances,
  source: SourceRef,
  { holder, nonce, floor }: Claim,
): { term: number; positions: [string, unknown][] } {
  const ended = endedIncarnation(tables, at)
  if (Array.isArray(ended)) throw fail(ended[1], ended[2])
  const wrong = sourceProblem(source)
  if (wrong !== null) throw fail('EVENT_INVALID', wrong)
  const key = sourceKey(source)
  const lease = tables.leases.get(key)
  if (lease === undefined || lease.incarnation !== at.incarnation || lease.record.released) {
    throw fail('FENCED', `nobody holds the lease of ${key}; take it before claiming`)
  }
  if (lease.record.holder !== holder) {
    throw fail('FENCED', `the lease of ${key} is held by ${lease.record.holder}, not by ${holder}`)
  }
  const current = tables.terms.get(key)
  const repeated =
    current !== undefined &&
    current.nonce === nonce &&
    current.holder === holder &&
    current.incarnation === at.incarnation
  const term = repeated ? current.term : nextTerm(current?.term, floor)
  if (!repeated) tables.terms.put(key, { term, holder, nonce, incarnation: at.incarnation })
  return { term, positions: positionsOf(tables, source) }
}

/** @throws FENCED from an older term or incarnation */
export function saveSnapshot(
  tables: Tables,
  at: Circumstances,
  { source, term, nonce }: WireFence,
  entry: string,
  bytes: Uint8Array,
): void {
  const refusal = endedIncarnation(tables, at) ?? supersededTerm(tables, source, term, nonce)
  if (Array.isArray(refusal)) throw fail(refusal[1], refusal[2])
  const wrong = entryProblem(entry)
  if (wrong !== null) throw fail('EVENT_INVALID', wrong)
  tables.snapshots.put(entryKey(source, entry), bytes)
}

/**
 * Takes up an incarnation: everything of an earlier one, leases above all, is void from here on.
 * @param wanted `next`, or one taken up before by the same supervisor
 * @throws FENCED when a later one has begun
 */
export function beginIncarnation(tables: Tables, wanted: number | 'next'): number {
  const stored = tables.meta.get('incarnation')
  if (wanted === 'next') {
    tables.meta.put('incarnation', stored + 1)
    return stored + 1
  }
  if (wanted < stored) {
    throw fail(
      'FENCED',
      `incarnation ${wanted} has ended: ${stored} has begun (another supervisor uses this directory)`,
    )
  }
  if (wanted > stored) tables.meta.put('incarnation', wanted)
  return wanted
}

/** Null when the client's incarnation is the present one. */
export function endedIncarnation(tables: Tables, at: Circumstances): WireOutcome | null {
  const present = tables.meta.get('incarnation')
  if (present === at.incarnation) return null
  return ['fenced', 'FENCED', `incarnation ${at.incarnation} is not the present one, ${present}`]
}

function supersededTerm(tables: Tables, source: SourceRef, term: number, nonce: string): WireOutcome | null {
  const current = tables.terms.get(sourceKey(source))
  if (current?.term === term && current.nonce === nonce) return null
  const now = current === undefined ? 'there is no term' : `term ${current.term} of ${current.holder} rules`
  return ['fenced', 'FENCED', `term ${term} of ${sourceKey(source)} is over: ${now}`]
}

function advance(source: SourceRef, entry: string): WireOutcome {
  const wrong = sourceProblem(source) ?? entryProblem(entry)
  return wrong === null ? -1 : ['refused', 'EVENT_INVALID', wrong]
}

function store(
  tables: Tables,
  at: Circumstances,
  source: SourceRef,
  member: Append,
  term: number | undefined,
): WireOutcome {
  const wrong = sourceProblem(source) ?? entryProblem(member.entry) ?? idProblem(member.id)
  if (wrong !== null) return ['refused', 'EVENT_INVALID', wrong]
  const key = entryKey(source, member.entry)
  const entry = tables.entries.get(key) ?? newEntry(tables)
  const idKey = `${entry.number}:${member.id}`
  const seen = tables.ids.get(idKey)
  // Either way round, so that a wall clock set back does not forget what was stored a moment ago.
  if (seen !== undefined && Math.abs(at.nowMs - seen) < at.dedupMs) return 0
  const seq = tables.meta.get('seq') + 1
  const record: LogRecord = {
    timeMs: at.nowMs,
    namespace: source.namespace,
    eventSource: source.name,
    entry: member.entry,
    id: member.id,
    sourceId: member.sourceId,
    term,
    previous: entry.lastSeq,
    event: member.event,
  }
  tables.log.put(seq, record)
  tables.ids.put(idKey, at.nowMs)
  tables.entries.put(key, { ...entry, published: entry.published + 1, lastMs: at.nowMs, lastSeq: seq })
  tables.meta.put('seq', seq)
  tables.meta.put('messages', tables.meta.get('messages') + 1)
  tables.meta.put('bytes', tables.meta.get('bytes') + weightOf(record))
  return seq
}

function newEntry(tables: Tables) {
  const number = tables.meta.get('entries') + 1
  tables.meta.put('entries', number)
  return { number, published: 0, lastMs: 0, lastSeq: 0 }
}

function positionsOf(tables: Tables, source: SourceRef): [string, unknown][] {
  const prefix = `${sourceKey(source)}/`
  const found: [string, unknown][] = []
  for (const [key, position] of tables.positions.scan(prefix)) {
    if (!key.startsWith(prefix)) break
    found.push([key.slice(prefix.length), position])
  }
  return found
}

function sourceProblem({ namespace, name }: SourceRef): string | null {
  for (const [what, text] of [
    ['namespace', namespace],
    ['EventSource', name],
  ] as const) {
    if (text === '' || text.length > MAX_NAME || /[/\0-\x1f]/.test(text)) {
      return `${what} ${JSON.stringify(text.slice(0, 80))} must have 1 to ${MAX_NAME} characters, no slash, no control characters`
    }
  }
  return null
}

/** Why an entry's name cannot be stored, or null. */
function entryProblem(entry: string): string | null {
  if (entry !== '' && !entry.startsWith('$') && Buffer.byteLength(entry) <= MAX_ENTRY && !/[\0-\x1f]/.test(entry)) {
    return null
  }
  return `entry ${JSON.stringify(entry.slice(0, 80))} must have 1 to ${MAX_ENTRY} bytes, no control characters, and not begin with $`
}

function idProblem(id: string): string | null {
  if (id !== '' && Buffer.byteLength(id) <= MAX_ID && !id.includes('\0')) return null
  return `event id ${JSON.stringify(id.slice(0, 80))} must have 1 to ${MAX_ID} bytes and no NUL`
}
