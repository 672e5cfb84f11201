import { createHash, randomBytes } from 'node:crypto'
import { goJsonString } from './json.ts'

/** The attributes of an event on the bus (CloudEvents 1.0, https://github.com/cloudevents/spec, structured JSON). */
export interface EventAttributes {
  /** 32 lower-case hex digits, except for Kafka sources, which keep upstream's id. The bus's de-duplication key. */
  id: string
  /** The EventSource's name. */
  source: string
  /** The CloudEvent type of the source type, e.g. `webhook`. */
  type: string
  /** The entry's name. */
  subject: string
  /** Milliseconds since the epoch; fractions become microseconds. */
  timeMs: number
}

/**
 * An event as upstream's Sensors read it, byte for byte: members in this order, no spaces, the payload in
 * `data_base64`, and `<`, `>`, `&` escaped as Go's encoder does.
 * @param data the payload, the bytes of a JSON value
 */
export function encodeEvent(attributes: EventAttributes, data: Uint8Array): Buffer {
  const { id, source, type, subject, timeMs } = attributes
  return Buffer.from(
    `{"specversion":"1.0","id":${goJsonString(id)},"source":${goJsonString(uriReference(source))}` +
      `,"type":${goJsonString(type)},"subject":${goJsonString(subject)},"datacontenttype":"application/json"` +
      `,"time":"${rfc3339Nano(timeMs)}","data_base64":"${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}"}`,
  )
}

/** An event read back from the bus. */
export interface DecodedEvent {
  specversion: string
  id: string
  source: string
  type: string
  subject: string
  datacontenttype: string
  time: string
  data_base64?: string
  data?: unknown
}

/** Parses a structured CloudEvent. @throws SyntaxError when it is not JSON */
export function decodeEvent(bytes: Uint8Array): DecodedEvent {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) as DecodedEvent
}

/** The payload of a decoded event, as bytes. */
export function eventData(event: DecodedEvent): Buffer {
  if (event.data_base64 !== undefined) return Buffer.from(event.data_base64, 'base64')
  return Buffer.from(JSON.stringify(event.data ?? null))
}

/** The reproducible id of an event: the same thing seen twice, by any replica, gets the same id. */
export function eventId(namespace: string, eventSource: string, entry: string, sourceId: string): string {
  return createHash('sha256').update(`${namespace}/${eventSource}/${entry}/${sourceId}`).digest('hex').slice(0, 32)
}

/** An id for something that has no identity of its own: 32 random hex digits. */
export function randomId(): string {
  return randomBytes(16).toString('hex')
}

/** RFC 3339 in UTC with up to nanoseconds and no trailing zeros in the fraction (Go's RFC3339Nano). */
export function rfc3339Nano(timeMs: number): string {
  const whole = Math.floor(timeMs)
  const micros = Math.floor((timeMs - whole) * 1000)
  const iso = new Date(whole).toISOString()
  const fraction = `${iso.slice(20, 23)}${String(micros).padStart(3, '0')}`.replace(/0+$/, '')
  return `${iso.slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`
}

/** CloudEvents `source` is a URI-reference: what RFC 3986 does not allow in a path is percent-encoded. */
function uriReference(name: string): string {
  return name.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu, (c) => encodeURIComponent(c))
}
