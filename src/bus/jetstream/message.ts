/** An event as it goes onto the wire, and as it comes back. Sensors look at subject, id and body, which are upstream's. */
import type { Headers } from '../../clients/nats-acks.ts'
import { fail } from '../../core/errors.ts'
import { decodeEvent } from '../../core/event.ts'
import { isTerm } from '../../core/term.ts'
import { type Append, type Outcome, type SourceRef, type Stored, subjectOf } from '../bus.ts'
import { header, headerText, headerValue } from './record.ts'

export interface Message {
  subject: string
  payload: Uint8Array
  headers: Headers
}

/** A header longer than this, in bytes, does not travel: a position goes into the record instead, a source id is cut, an id is refused. */
const LONGEST_HEADER = 1024
/** Kept free of the server's limit on a message for the headers beside the event, bytes: three long ones, and the short rest. */
export const HEADER_ROOM = 4 * LONGEST_HEADER

/** @param term absent for active-active entries, whose events carry no position */
export function eventMessage(source: SourceRef, member: Append, term?: number): Message {
  const headers: Headers = { [header.id]: member.id, [header.namespace]: source.namespace }
  if (member.sourceId !== undefined) headers[header.sourceId] = headerText(member.sourceId).slice(0, LONGEST_HEADER)
  if (term !== undefined) headers[header.term] = term
  const position = term === undefined ? null : positionHeader(member)
  if (position !== null) headers[header.position] = position
  return { subject: subjectOf(source, member.entry), payload: member.event, headers }
}

/** Null when it has none, or one that only the record can carry. */
export function positionHeader({ position }: Append): string | null {
  if (position === undefined) return null
  const text = headerText(JSON.stringify(position))
  return text.length > LONGEST_HEADER ? null : text
}

/** Why it can never be stored, or null. */
export function unstorable(member: Append, maxEventBytes: number): Outcome | null {
  const { id, event, entry } = member
  if (event.byteLength > maxEventBytes) {
    const message = `the event of ${entry} has ${event.byteLength} bytes, more than the ${maxEventBytes} the bus stores`
    return {
      outcome: 'refused',
      error: fail('EVENT_TOO_LARGE', `${message}; make the payload smaller, filter it, or raise max_payload of NATS`),
    }
  }
  if (id === '' || Buffer.byteLength(id) > LONGEST_HEADER || /[\u0000-\u001f\u007f]/.test(id)) {
    return {
      outcome: 'refused',
      error: fail('EVENT_INVALID', `the id ${JSON.stringify(id.slice(0, 100))} fits no header`),
    }
  }
  if (!/^[^\s.*>]+$/.test(entry)) {
    return {
      outcome: 'refused',
      error: fail('EVENT_INVALID', `the name ${JSON.stringify(entry)} fits no NATS subject`),
    }
  }
  return null
}

/** What any client gives for a message of the stream. */
export interface Received {
  seq: number
  timeMs: number
  subject: string
  data: Uint8Array
  header(name: string): string
}

/** @returns null for a record of ours */
export function asStored({ seq, timeMs, subject, data, header: of }: Received): Stored | null {
  if (isTermSubject(subject)) return null
  const sourceId = of(header.sourceId)
  const term = of(header.term) === '' ? undefined : Number(of(header.term))
  return {
    seq,
    timeMs,
    subject,
    namespace: of(header.namespace),
    id: of(header.id) || idOf(data),
    ...(sourceId === '' ? {} : { sourceId: headerValue(sourceId) }),
    ...(isTerm(term) ? { term } : {}),
    event: data,
  }
}

export const isTermSubject = (subject: string): boolean => subject.split('.')[2]?.startsWith('$term-') === true

/** Somebody else's message without an id header. */
function idOf(data: Uint8Array): string {
  try {
    return String(decodeEvent(data).id ?? '')
  } catch {
    return ''
  }
}
