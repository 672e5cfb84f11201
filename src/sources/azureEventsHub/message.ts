/** What an AMQP 1.0 message of a partition says, and upstream's payload of it. */
import type { Message } from 'rhea-promise'
import { fail } from '../../core/errors.ts'
import { payloadOf } from '../payload/json-body.ts'
import type { AzureEventsHubSpec } from './spec.ts'

/**
 * A message's sequence number in its partition. The annotations' names are those in the official clients (`Constants` of
 * @azure/core-amqp).
 * @throws ORIGIN_UNAVAILABLE without one: then the other side is no event hub
 */
export function sequenceNumberOf({ message_annotations }: Pick<Message, 'message_annotations'>): number {
  const number: unknown = message_annotations?.['x-opt-sequence-number']
  if (Number.isSafeInteger(number)) return number as number
  throw fail('ORIGIN_UNAVAILABLE', 'the server sent a message without a sequence number: it is no event hub')
}

/** Upstream's, member by member; `body` always as base64. @throws TypeError for values that no text can be made of */
export function payload(
  { message_id, message_annotations, body }: Pick<Message, 'message_id' | 'message_annotations' | 'body'>,
  { metadata }: Pick<AzureEventsHubSpec, 'metadata'>,
): string {
  const partitionKey = textOf(message_annotations?.['x-opt-partition-key'])
  return payloadOf({ id: textOf(message_id), partitionKey, body: bytesOf(body) }, metadata)
}

/** Empty without one; numbers in decimal, bytes (an AMQP UUID too) in hex. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)
}

/** Section codes of AMQP 1.0 (3.2.6, 3.2.7): a body is data, or sequences of values. A single value comes without its section. */
const DATA = 0x75
const SEQUENCE = 0x76

interface Section {
  typecode: number
  content: unknown
  /** `content` is a list of several sections' contents. */
  multiple?: boolean
}

/** The data; of several parts all, one after the other. Of a value or sequence the text, or JSON. */
function bytesOf(body: unknown): Uint8Array {
  const section = isSection(body) ? body : null
  if (section?.typecode === DATA) {
    const parts = section.multiple ? (section.content as unknown[]) : [section.content]
    return Buffer.concat(parts.map(bytesOf))
  }
  const value = section === null ? body : section.content
  if (value === undefined || value === null) return Buffer.alloc(0)
  if (value instanceof Uint8Array) return value
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

/** A map that a sender made looks like one, but for its prototype. */
function isSection(body: unknown): body is Section {
  if (typeof body !== 'object' || body === null || Object.getPrototypeOf(body) === Object.prototype) return false
  const { typecode } = body as Partial<Section>
  return typecode === DATA || typecode === SEQUENCE
}
