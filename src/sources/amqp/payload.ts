/** A message as upstream's payload, member by member, and the id that tells a repeat. */
import type { ConsumeMessage } from 'amqplib'
import { goTime } from '../shared/go-time.ts'
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

/** The sender's message-id with a digest of the message, or undefined when it gave none. */
export function messageKey({ properties, fields, content }: ConsumeMessage): string | undefined {
  const id = properties.messageId
  if (typeof id !== 'string' || id === '') return undefined
  return senderKey(id, Buffer.concat([Buffer.from(`${fields.exchange}\n${fields.routingKey}\n`), content]))
}
