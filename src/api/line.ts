/** One event as `vedette tail --json` and `/v1/events` give it. */

import type { Stored } from '../bus/bus.ts'
import { rfc3339Nano } from '../core/event.ts'
import { goJsonString } from '../core/json.ts'
import { printable } from '../core/printable.ts'

/** A parsed line. */
export interface EventLine {
  seq: number
  /** When the bus stored it, RFC 3339. */
  time: string
  subject: string
  event: Record<string, unknown>
}

/** One line of JSON without the line feed; `event` has the bytes that are on the bus. */
export function eventLine(stored: Stored): string {
  const { before, event, after } = lineParts(stored)
  return `${before}${event.toString('utf8')}${after}`
}

/** The line in parts, so that the bytes of a large event need not be copied. */
export function lineParts({ seq, timeMs, subject, event }: Stored): { before: string; event: Buffer; after: string } {
  const before = `{"seq":${seq},"time":"${rfc3339Nano(timeMs)}","subject":${goJsonString(subject)},"event":`
  return { before, event: oneLine(Buffer.from(event.buffer, event.byteOffset, event.byteLength)), after: '}' }
}

/** What is on the bus is one line as we write it; what another client wrote need not be. */
function oneLine(bytes: Buffer): Buffer {
  const isObject = bytes[0] === CURLY && bytes.at(-1) === CURLY_END
  if (isObject && !bytes.includes(LINE_FEED) && !bytes.includes(CARRIAGE_RETURN)) return bytes
  const text = bytes.toString('utf8')
  try {
    return Buffer.from(JSON.stringify(JSON.parse(text)))
  } catch {
    return Buffer.from(JSON.stringify(text))
  }
}

const [CURLY, CURLY_END] = [0x7b, 0x7d]
const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d]

/** The line for people: time, where from, id, and the head of the payload. */
export function readableLine({ seq, time, subject, event }: EventLine, width = 160): string {
  const where = subject.startsWith('default.') ? subject.slice('default.'.length) : subject
  const id = typeof event.id === 'string' ? event.id.slice(0, 12) : '-'
  const head = printable(`${new Date(time).toISOString().slice(11, 23)}  ${String(seq).padStart(6)}  ${where}  ${id}  `)
  return head + shorten(printable(payload(event)), Math.max(20, width - head.length))
}

function payload(event: Record<string, unknown>): string {
  if (typeof event.data_base64 !== 'string') return JSON.stringify(event.data ?? null)
  const text = Buffer.from(event.data_base64, 'base64').toString('utf8')
  try {
    // of a request people want to see the body, not the headers before it
    const body = text.startsWith('{"header":') ? (JSON.parse(text) as { body?: unknown }).body : undefined
    return body === undefined ? text : JSON.stringify(body)
  } catch {
    return text
  }
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}
