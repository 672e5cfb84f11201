/**
 * What a new term record builds on. Whoever has a login of the bus may write to the record's subject, and what he writes is the newest: so a record that
 * cannot be read is passed over for the one before it, and one that cannot be of anybody who may write, for what this process knows itself.
 */
import type { Claim, SourceRef } from '../bus.ts'
import type { ClaimParts } from './claim.ts'
import type { Known } from './fence.ts'
import { newestThat } from './reading.ts'
import { decodeRecord, type TermRecord, termSubject } from './record.ts'

/** What lies newest on the record's subject; without a record when it is none that can be read. */
export interface Found {
  seq: number
  record: TermRecord | null
}

/** The term to be surpassed, and where to go on. */
export type Base = Pick<TermRecord, 'term' | 'positions' | 'beside' | 'since'>

/** @throws BUS_UNAVAILABLE */
export async function baseOf(
  parts: ClaimParts,
  source: SourceRef,
  { unbroken = false }: Claim,
  found: Found | null,
  known: Known | null,
): Promise<Base> {
  // All that is on the log counts.
  if (found === null) return { term: 0, positions: positionsOf(known), since: 0 }
  const { record, seq } = found
  if (known !== null && known.seq !== seq && (record === null || (unbroken && !isOf(known, record)))) {
    passOver(parts, source, found, 'this replica goes on where it has got itself')
    return { term: Math.max(known.term, record?.term ?? 0), positions: positionsOf(known), since: known.seq }
  }
  if (record !== null) return baseIn(record, seq)
  const older = await newestReadable(parts, source, seq)
  const instead = older === null ? 'all that is on the log counts' : `the one at ${older.seq} counts`
  passOver(parts, source, found, instead)
  return older === null ? { term: 0, positions: {}, since: 0 } : baseIn(older.record, older.seq)
}

const baseIn = ({ term, positions, beside, since }: TermRecord, seq: number): Base => ({
  term,
  positions,
  ...(beside === undefined ? {} : { beside }),
  since: since ?? seq,
})

const positionsOf = (known: Known | null): Record<string, unknown> => Object.fromEntries(known?.positions ?? [])

/** A renewal whose answer was lost; who has had the answers to all that it wrote has no other record than the one that it knows. */
const isOf = ({ doubtful, nonce, term }: Known, record: TermRecord): boolean =>
  doubtful && record.nonce === nonce && record.term === term

/** The newest record that can be read, of those up to `seq`. */
const newestReadable = (parts: ClaimParts, source: SourceRef, seq: number) =>
  newestThat(parts, termSubject(source), seq, ({ seq: at, data }) => {
    const record = decodeRecord(data, at)
    return record === null ? null : { seq: at, record }
  })

function passOver({ log, passedOver }: ClaimParts, source: SourceRef, { seq, record }: Found, instead: string): void {
  const subject = termSubject(source)
  const what = record === null ? 'a term record that cannot be read' : 'a term record of nobody who may write'
  passedOver((leftOut) =>
    log.warn(`${what} is passed over: ${instead}; whoever wrote it has a login of the bus`, {
      ...{ eventSourceName: source.name, namespace: source.namespace, subject, seq },
      ...leftOut,
    }),
  )
}
