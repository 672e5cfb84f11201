/**
 * Which event a CloudEvent is (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md): its id is one within its source only.
 * `time` and extensions do not count: a tracing header is another one at each attempt.
 */
import { hash } from 'node:crypto'
import { jsonItems, jsonMembers } from '../../core/json-slices.ts'
import type { HttpRequest } from '../../source.ts'
import { mediaType } from '../http/media-type.ts'
import type { From } from './sender-id.ts'

/** What a sender calls its message, for `senderKey`. */
export interface SenderName {
  key: string
  /** What it says. */
  sent: string | Uint8Array
  from: From
}

/** What tells one id from the same one of somebody else. */
const CONTEXT = ['source', 'type', 'subject'] as const

/** The context attributes of a message in binary mode. @param attribute its value, where the message has it */
export function contextOf(attribute: (name: string) => string | undefined): From {
  return Object.fromEntries(CONTEXT.map((name) => [name, attribute(name)]))
}

/**
 * What the sender of a CloudEvent over HTTP calls it, in binary, structured or batched mode; undefined when it is none or lacks an id. All
 * events of a batch make its name, in whatever order.
 * @param body compact JSON, where the request has JSON
 */
export function cloudEventOf(request: HttpRequest, body: Uint8Array): SenderName | undefined {
  switch (mediaType(request)) {
    case 'application/cloudevents+json':
      return structured(Buffer.from(body).toString())
    case 'application/cloudevents-batch+json':
      return batched(Buffer.from(body).toString())
    default: {
      const key = request.header('ce-id')
      return key ? { key, sent: request.body, from: contextOf((name) => request.header(`ce-${name}`)) } : undefined
    }
  }
}

function structured(json: string): SenderName | undefined {
  if (!json.startsWith('{')) return undefined
  const members = new Map(jsonMembers(json))
  const text = (name: string): string | undefined => {
    const value = members.get(name)
    return value?.startsWith('"') ? (JSON.parse(value) as string) : undefined
  }
  const key = text('id')
  if (!key) return undefined
  const bytes = members.get('data_base64')
  const sent = bytes === undefined ? (members.get('data') ?? '') : `base64 ${bytes}`
  return { key, sent, from: contextOf(text) }
}

function batched(json: string): SenderName | undefined {
  const events = json.startsWith('[') ? jsonItems(json).map(structured) : []
  if (events.length === 0) return undefined
  const names: string[] = []
  for (const event of events) {
    if (event === undefined) return undefined
    names.push(JSON.stringify([event.key, event.from, hash('sha256', event.sent)]))
  }
  // A line break, which the header of another key cannot have.
  return { key: ['batch', ...names.sort()].join('\n'), sent: '', from: {} }
}
