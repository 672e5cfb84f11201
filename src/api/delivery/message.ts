/** One event as an HTTP request (CloudEvents HTTP binding 1.0, https://github.com/cloudevents/spec). */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Stored } from '../../bus/bus.ts'
import { decodeEvent, eventData } from '../../core/event.ts'

/** `structured`: the CloudEvent is the body. `binary`: the data is the body, the attributes are `ce-` headers. */
export type DeliveryMode = 'structured' | 'binary'

export interface Message {
  headers: Record<string, string>
  body: Uint8Array
}

/** Many servers take 8 KiB of headers and no more; the rest is for what is not ours. */
const MOST_HEADER_BYTES = 6 * 1024

/**
 * Headers and body of one event. What others put on the bus and cannot be told in headers goes out as it is on the bus, whatever the mode:
 * a receiver tells the two forms apart by the content type, and an event that could not be sent at all would hold up the rest for ever.
 */
export function message(
  { event }: Pick<Stored, 'event'>,
  mode: DeliveryMode,
  headers: Record<string, string> = {},
): Message {
  const binary = mode === 'binary' ? inHeaders(event) : null
  const { headers: own, body } = binary ?? {
    headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
    body: event,
  }
  return { headers: { ...headers, ...own }, body }
}

/** Null when this event has no such form. */
function inHeaders(event: Uint8Array): Message | null {
  try {
    const decoded = decodeEvent(event)
    const { data_base64: _, data: __, datacontenttype, ...attributes } = decoded
    const ce = Object.entries(attributes)
      .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
      .map(([name, value]) => [`ce-${name}`, percentEncoded(String(value))] as const)
    const all = [...ce, ['content-type', datacontenttype ?? 'application/json'] as const]
    for (const [name, value] of all) {
      if (typeof value !== 'string') return null
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    if (all.reduce((bytes, [name, value]) => bytes + name.length + value.length + 4, 0) > MOST_HEADER_BYTES) return null
    return { headers: Object.fromEntries(all), body: eventData(decoded) }
  } catch {
    return null
  }
}

/** CloudEvents HTTP binding 3.1.3.2: space, `"`, `%` and everything outside printable ASCII. */
function percentEncoded(value: string): string {
  return value.toWellFormed().replace(/[^\x21\x23\x24\x26-\x7e]/gu, (c) => encodeURIComponent(c))
}
