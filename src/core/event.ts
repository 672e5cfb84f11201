import { createHash, randomUUID } from 'node:crypto'
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
export function encodeEvent({ id, timeMs, ...common }: EventAttributes, data: Uint8Array): Buffer {
  return eventEncoder(common)(id, timeMs, data)
}

/** {@link encodeEvent} for many events of one entry: what they have in common is made once. */
export function eventEncoder({
  source,
  type,
  subject,
}: Omit<EventAttributes, 'id' | 'timeMs'>): (id: string, timeMs: number, data: Uint8Array) => Buffer {
  const common =
    `,"source":${goJsonString(uriReference(source))},"type":${goJsonString(type)},"subject":${goJsonString(subject)}` +
    ',"datacontenttype":"application/json","time":"'
  const timeText = timeWriter()
  return (id, timeMs, data) => {
    const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
    return Buffer.from(
      `{"specversion":"1.0","id":${goJsonString(id)}${common}${timeText(timeMs)}","data_base64":"${base64}"}`,
    )
  }
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

/** An id for something that has no identity of its own, as upstream makes them: the 32 hex digits of a random UUID (RFC 9562 §5.4). */
export function randomId(): string {
  return randomUUID().replaceAll('-', '')
}

/** RFC 3339 in UTC with up to nanoseconds and no trailing zeros in the fraction (Go's RFC3339Nano). */
export function rfc3339Nano(timeMs: number): string {
  return timeWriter()(timeMs)
}

/** {@link rfc3339Nano} for many times: the second, which costs most, is written once as long as it lasts. */
function timeWriter(): (timeMs: number) => string {
  let second = Number.NaN
  let text = ''
  return (timeMs) => {
    const whole = Math.floor(timeMs)
    const now = Math.floor(whole / 1000)
    if (now !== second) {
      second = now
      text = new Date(now * 1000).toISOString().slice(0, 19)
    }
    const micros = (whole - now * 1000) * 1000 + Math.floor((timeMs - whole) * 1000)
    return micros === 0 ? `${text}Z` : `${text}.${String(micros).padStart(6, '0').replace(/0+$/, '')}Z`
  }
}

/** CloudEvents `source` is a URI-reference: what RFC 3986 does not allow in a path is percent-encoded. */
function uriReference(name: string): string {
  return name.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu, (c) => encodeURIComponent(c))
}
