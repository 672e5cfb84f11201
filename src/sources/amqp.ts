/** The type `amqp`: messages of a RabbitMQ queue (AMQP 0-9-1). */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { PREFETCH } from './amqp/declare.ts'
import { examples } from './amqp/examples.ts'
import { removeQueue } from './amqp/remains.ts'
import { listenToQueue, serveQueue, standBy } from './amqp/serve.ts'
import {
  type AmqpSpec,
  claimsOf,
  deletesQueue,
  guaranteeOfSpec,
  queueOf,
  specSchema,
  validateSpec,
} from './amqp/spec.ts'
import type { StreamPosition } from './amqp/stream.ts'
import { backoffOptions } from './connections/backoff.ts'
import { stoppable } from './connections/stopping.ts'

const text = (what: string) => z.string().describe(`${what}; empty when the sender set none.`)

export default defineSource<AmqpSpec, StreamPosition | null>({
  type: 'amqp',
  title: 'AMQP',
  summary: 'Takes messages from a queue of RabbitMQ, or of another AMQP 0-9-1 broker.',
  strategy: 'active-passive',
  guarantee: 'at-least-once',
  guaranteeOf: guaranteeOfSpec,
  because:
    'A message is acknowledged only when the bus has it; what a dead replica had not acknowledged the broker gives to the next one. With a ' +
    '`message-id` it is stored exactly once, and so is one of a stream, which is read from an offset that lies on the bus; of others what was unacknowledged (at most 128) may be there twice. A queue without a name goes with its connection: there each replica has its own, as a hot standby.',
  ids: "The sender's `message-id`, together with the exchange, the routing key, the body, and what tells senders apart: `app-id`, `user-id`, `type`, and a CloudEvent's source, type and subject. A repeat has all of them. A message without a `message-id` has no identity: delivered again, it is another event. A message of a stream is known by the queue, its offset, and how often the stream was made anew; such a stream is known by its message before the next offset.",
  spec: specSchema,
  event: z.object({
    contentType: text('`content-type`'),
    contentEncoding: text('`content-encoding`'),
    deliveryMode: z.int().describe('2: persistent, 1: not, 0: not said.'),
    priority: z.int().describe('0 when the sender set none.'),
    correlationId: text('`correlation-id`'),
    replyTo: text('`reply-to`'),
    expiration: text('`expiration`, milliseconds as text'),
    messageId: text('`message-id`'),
    timestamp: z
      .string()
      .describe('As Go prints it, `2023-11-14 22:13:20 +0000 UTC`; without one, `0001-01-01 00:00:00 +0000 UTC`.'),
    type: text('`type`'),
    appId: text('`app-id`'),
    exchange: z.string().describe('The exchange that it was published to.'),
    routingKey: z.string().describe('The routing key that it was published with.'),
    body: z.unknown().describe('The message: base64 text, or with `jsonBody` the JSON as sent.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  position: z.object({ next: z.int(), mark: z.string().optional(), resets: z.int().optional() }),
  identity: (spec) => ({
    // Without user and password: rotated credentials are the same broker.
    url: spec.url.replace(/\/\/[^/@]*@/, '//'),
    urlSecret: spec.urlSecret,
    exchange: spec.exchangeName,
    routingKey: spec.routingKey,
    queue: queueOf(spec).name,
  }),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  recall: 2 * PREFETCH,
  prepare: stoppable(standBy),
  serve: stoppable(serveQueue),
  listen: stoppable(listenToQueue),
  claims: claimsOf,
  removes: deletesQueue,
  remove: removeQueue,
})
