/**
 * A new term: its record written by compare-and-set upon the one before, then the positions as they were at that moment. All is
 * asked of the stream's leader; a copy on another server may lag.
 */
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream'
import type { NatsKv } from '../../clients/nats-kv.ts'
import { fail, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { seldom } from '../../core/seldom.ts'
import { nextTerm } from '../../core/term.ts'
import type { Claim, SourceRef } from '../bus.ts'
import { outcomeOfError } from '../outcome.ts'
import { baseOf, type Found } from './base.ts'
import { createRecordWriter, loadBeside, tidyBeside } from './beside.ts'
import type { Known, Sender } from './fence.ts'
import { refusal } from './outcome.ts'
import { type Readers, scanHeaders } from './reading.ts'
import { decodeRecord, header, headerValue, type TermRecord, termSubject } from './record.ts'
import { STREAM } from './stream.ts'

export interface Claimed {
  record: TermRecord
  seq: number
  positions: Map<string, unknown>
}

export interface ClaimParts extends Readers {
  sender: Sender
  /** Where positions lie that are too large for the record. */
  kv: NatsKv
  maxRecordBytes: () => number
  log: Logger
  /** For what is said of records that are passed over. */
  passedOver: ReturnType<typeof seldom>
}

/**
 * @param known what this process knows of its own last term, when nobody else has led since as far as the lock says; null: nothing
 * @throws FENCED another claim came between; BUS_UNAVAILABLE, OUTCOME_UNKNOWN
 */
export async function claimTerm(
  parts: ClaimParts,
  source: SourceRef,
  claim: Claim,
  known: Known | null = null,
): Promise<Claimed> {
  const before = await newestRecord(parts.jsm, source)
  const own = ofNonce(before, claim.nonce) ?? (await writeRecord(parts, source, claim, before, known))
  const positions = await positionsAt(parts, source, own)
  void tidyBeside(parts.kv, source, own.record)
  return { ...own, positions }
}

/** The newest term record and its place, or null; a place with a record that cannot be read is one all the same. */
export async function newestRecord(jsm: JetStreamManager, source: SourceRef): Promise<Found | null> {
  const found = await lastOn(jsm, termSubject(source))
  return found === null ? null : { seq: found.seq, record: decodeRecord(found.data, found.seq) }
}

/** By then it is no coincidence. */
const MOST_RENEWALS = 20

/** The record, if it is the one that an earlier attempt has written whose answer was lost. */
function ofNonce(found: Found | null, nonce: string): { record: TermRecord; seq: number } | null {
  return found?.record?.nonce === nonce ? { record: found.record, seq: found.seq } : null
}

async function writeRecord(
  parts: ClaimParts,
  source: SourceRef,
  claim: Claim,
  before: Found | null,
  known: Known | null,
  renewals = 0,
): Promise<{ record: TermRecord; seq: number }> {
  const { jsm, sender, kv, maxRecordBytes } = parts
  const { holder, nonce, floor } = claim
  const { term, ...base } = await baseOf(parts, source, claim, before, known)
  const record: TermRecord = { term: nextTerm(term, floor), holder, nonce, ...base }
  // Larger than a message can be now: the server's limit was lowered.
  const payload = await createRecordWriter(kv, source, record, maxRecordBytes).encode(record)
  const message = {
    subject: termSubject(source),
    payload,
    headers: { [header.expectedSeq]: before?.seq ?? 0 },
  }
  const outcome = await sender
    .single(message)
    .then((ack) => refusal(ack) ?? { outcome: 'stored' as const, seq: ack.seq }, outcomeOfError)
  if (outcome.outcome === 'stored') return { record: decodeRecord(payload)!, seq: outcome.seq }
  if (outcome.outcome === 'fenced') {
    const newest = await newestRecord(jsm, source)
    // Perhaps by an earlier attempt of one's own, which came late.
    const own = ofNonce(newest, nonce)
    if (own !== null) return own
    // Or by the term before, which goes on writing until this one stands, and has renewed its record: that is no other claim.
    const renewed = newest?.record != null && newest.record.nonce === before?.record?.nonce
    if (renewed && renewals < MOST_RENEWALS) return await writeRecord(parts, source, claim, newest, known, renewals + 1)
  }
  throw 'error' in outcome ? outcome.error : fail('BUG', `a claim was answered ${outcome.outcome}`)
}

/** Each entry's position: the record's, moved on by the last event after it. */
async function positionsAt(
  parts: ClaimParts,
  source: SourceRef,
  { record, seq }: { record: TermRecord; seq: number },
): Promise<Map<string, unknown>> {
  const beside = record.beside === undefined ? {} : await loadBeside(parts.kv, source, record.beside)
  if (beside === null) {
    parts.log.error(
      'the positions that lay beside the term record are gone: what is on the log itself is all that is left',
      {
        eventSourceName: source.name,
        namespace: source.namespace,
      },
    )
  }
  const positions = new Map(Object.entries({ ...record.positions, ...beside }))
  const since = beside === null ? 0 : record.since
  if (since === null || since + 1 === seq) return positions
  const unclear: string[] = []
  await Promise.all(
    (await subjectsOf(parts.jsm, source)).map(async (subject) => {
      const entry = subject.split('.')[2]!
      const last = await lastOn(parts.jsm, subject)
      if (last === null || last.seq <= since) return
      const position = last.seq < seq ? positionOf(source, (name) => last.header.get(name)) : undefined
      if (position !== undefined) positions.set(entry, position)
      // Something by hand, of another namespace's twin, or later than the claim, lies on top.
      else if (positions.has(entry) || since === 0) unclear.push(subject)
    }),
  )
  if (unclear.length > 0) {
    // The own record marks the end.
    const subjects = [...unclear, termSubject(source)]
    for await (const found of scanHeaders(parts, source, { subjects, from: since + 1, to: seq })) {
      const position = positionOf(source, found.header)
      if (position !== undefined) positions.set(found.subject.split('.')[2]!, position)
    }
  }
  return positions
}

function positionOf(source: SourceRef, of: (name: string) => string): unknown {
  const text = of(header.position)
  if (text === '' || of(header.namespace) !== source.namespace) return
  try {
    return JSON.parse(headerValue(text))
  } catch {
    return
  }
}

/** The subjects of the source's entries that have something on the log. */
async function subjectsOf(jsm: JetStreamManager, { name }: SourceRef): Promise<string[]> {
  const { state } = await asked(() => jsm.streams.info(STREAM, { subjects_filter: `default.${name}.*` }))
  return Object.keys(state.subjects ?? {}).filter((subject) => !subject.split('.')[2]!.startsWith('$'))
}

/** The last message on a subject. @throws BUS_UNAVAILABLE */
export function lastOn(jsm: JetStreamManager, subject: string): Promise<StoredMsg | null> {
  return asked(() => jsm.streams.getMessage(STREAM, { last_by_subj: subject }))
}

/** A question to the stream's leader. @throws BUS_UNAVAILABLE */
export async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw fail('BUS_UNAVAILABLE', `the stream ${STREAM} does not answer: ${messageOf(error)}`, {}, { cause: error })
  }
}
