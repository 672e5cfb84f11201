/** A message as upstream's payload, member by member, and the id that tells a repeat. */
import type { ConsumeMessage } from 'amqplib'
import { goTime } from '../go/time.ts'
import { contextOf } from '../payload/cloud-event.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { senderKey } from '../payload/sender-id.ts'
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
      timestamp: goTime(Math.floor(Number(properties.timestamp))),
      type: text(properties.type),
      appId: text(properties.appId),
      exchange: fields.exchange,
      routingKey: fields.routingKey,
      body: bodyOf(content, jsonBody),
    },
    metadata,
  )
}

/** A message's offset in its stream; null: it is of no stream. */
export function offsetOf({ properties }: ConsumeMessage): number | null {
  const offset: unknown = properties.headers?.['x-stream-offset']
  return Number.isSafeInteger(offset) ? (offset as number) : null
}

/**
 * The sender's message-id with a digest of the message and of what tells senders apart, or undefined when it gave none. Properties that
 * an attempt may have anew (`timestamp`, `reply-to`, headers of the broker and of traces) do not count.
 */
export function messageKey({ properties, fields, content }: ConsumeMessage): string | undefined {
  const { messageId: id, appId, userId, type, headers } = properties
  if (typeof id !== 'string' || id === '') return undefined
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  // Both prefixes are CloudEvents', https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md
  const event = contextOf((name) => text(headers?.[`cloudEvents:${name}`]) ?? text(headers?.[`cloudEvents_${name}`]))
  const from = { app: text(appId), user: text(userId), kind: text(type), ...event }
  return senderKey(id, Buffer.concat([Buffer.from(`${fields.exchange}\n${fields.routingKey}\n`), content]), from)
}
