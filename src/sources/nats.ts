/** The type `nats`: messages on a subject of core NATS. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { backoffOptions } from './connections/backoff.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './nats/examples.ts'
import { listenToSubject, serveQueueGroup } from './nats/serve.ts'
import { claimsOf, type NatsSpec, specSchema, validateSpec } from './nats/spec.ts'

export default defineSource<NatsSpec>({
  type: 'nats',
  title: 'NATS',
  summary: 'Takes the messages on a subject of core NATS.',
  strategy: 'active-passive',
  guarantee: 'hot-standby',
  guaranteeOf: (spec) => (spec.queue === undefined ? 'hot-standby' : 'at-most-once'),
  because:
    'Every replica is subscribed; a standby keeps the last 60 s and follows the log, and when it leads it publishes what the log lacks. In a queue group, where a standby would take messages away, only the serving replica is subscribed.',
  ids: "The sender's `Nats-Msg-Id`, together with the subject, the body, and a CloudEvent's `ce-source`, `ce-type` and `ce-subject`, since senders may count alike. A message without that header has no identity.",
  spec: specSchema,
  event: z.object({
    subject: z.string().describe('The subject that it was published on.'),
    body: z.unknown().describe('The message: base64 text, or with `jsonBody` the JSON as sent.'),
    header: z
      .record(z.string(), z.array(z.string()))
      .optional()
      .describe('The headers, names as sent; absent when there are none.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ url, subject, queue }) => ({ url: url.replaceAll(/[^/,]*@/g, ''), subject, queue }),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  serve: stoppable(serveQueueGroup),
  listen: stoppable(listenToSubject),
  claims: claimsOf,
})
