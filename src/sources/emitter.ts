/** The type `emitter`: messages of a channel of emitter.io. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { backoffOptions } from './connections/backoff.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './emitter/examples.ts'
import { listenToChannel, serveSharedChannel } from './emitter/listen.ts'
import { claimsOf, type EmitterSpec, isShared, specSchema, trimmed, validateSpec } from './emitter/spec.ts'

export default defineSource<EmitterSpec>({
  type: 'emitter',
  title: 'Emitter',
  summary: 'Takes the messages of a channel of emitter.io.',
  strategy: 'active-passive',
  guarantee: 'hot-standby',
  guaranteeOf: ({ channelName }) => (isShared(channelName) ? 'at-most-once' : 'hot-standby'),
  because:
    'Every replica is subscribed; a standby keeps the last 60 s and follows the log, and when it leads it publishes what the log lacks. A shared channel (`$share/…`), where a standby would take messages away, only the serving replica has: at most once.',
  ids: 'None: the protocol has no ids of messages. A standby recognises what the leader has published by its bytes and their number.',
  spec: specSchema,
  event: z.object({
    topic: z.string().describe('The channel that it was published to, with a slash at its end.'),
    body: z.unknown().describe('The message: base64 text, or with `jsonBody` the JSON as sent.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ broker, channelName }) => ({
    broker: broker.replace(/\/\/[^/@]*@/, '//'),
    channelName: trimmed(channelName),
  }),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  serve: stoppable(serveSharedChannel),
  listen: stoppable(listenToChannel),
  claims: claimsOf,
})
