/** A message as upstream's payload, member by member, and the id that tells a repeat. */
import type { ConsumeMessage } from 'amqplib'
import { bodyOf, payloadOf } from '../shared/json-body.ts'
import { senderKey } from '../shared/sender-id.ts'
import type { AmqpSpec } from './spec.ts'

/** @throws EVENT_INVALID when `jsonBody` is set and the message is not JSON */
export function payload(
  message: ConsumeMessage,
  { jsonBody, metadata }: Pick<AmqpSpec, 'jsonBody' | 'metadata'>,
): string {
  const { properties, fields, content } = message
  const text = (value: unknown) => (value === undefined || value === null ? '' : String(value))
  return payloadOf(
    {
      contentType: text(properties.contentType),
      contentEncoding: text(properties.contentEncoding),
      deliveryMode: properties.deliveryMode ?? 0,
      priority: properties.priority ?? 0,
      correlationId: text(properties.correlationId),
      replyTo: text(properties.replyTo),
      expiration: text(properties.expiration),
      messageId: text(properties.messageId),
      timestamp: goTime(properties.timestamp),
      type: text(properties.type),
      appId: text(properties.appId),
      exchange: fields.exchange,
      routingKey: fields.routingKey,
      body: bodyOf(content, jsonBody),
    },
    metadata,
  )
}

/** The sender's message-id with a digest of the message, or undefined when it gave none. */
export function messageKey({ properties, fields, content }: ConsumeMessage): string | undefined {
  const id = properties.messageId
  if (typeof id !== 'string' || id === '') return undefined
  return senderKey(id, Buffer.concat([Buffer.from(`${fields.exchange}\n${fields.routingKey}\n`), content]))
}

const ZERO_TIME = '0001-01-01 00:00:00 +0000 UTC'
/** The last second that a JavaScript date can hold with four digits of year. */
const LAST_SECOND = 253_402_300_799

/** Go's default text of a time, in UTC. @param seconds since the epoch; anything else gives Go's zero time */
function goTime(seconds: unknown): string {
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= LAST_SECOND)) return ZERO_TIME
  const iso = new Date(seconds * 1000).toISOString()
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} +0000 UTC`
}
