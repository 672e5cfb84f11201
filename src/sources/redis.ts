/** The type `redis`: messages of Redis Pub/Sub channels. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './redis/examples.ts'
import { listenToChannels } from './redis/listen.ts'
import { type RedisSpec, specSchema, validateSpec } from './redis/spec.ts'

export default defineSource<RedisSpec>({
  type: 'redis',
  title: 'Redis Pub/Sub',
  summary: 'Takes the messages of Redis Pub/Sub channels.',
  strategy: 'active-passive',
  guarantee: 'hot-standby',
  because:
    'Every replica is subscribed; a standby keeps the last 60 s and follows the log, and when it leads it publishes what the log lacks.',
  ids: 'None: Pub/Sub has no ids of messages. A standby recognises what the leader has published by its bytes and their number.',
  spec: specSchema,
  event: z.object({
    channel: z.string().describe('The channel.'),
    pattern: z.string().describe('Always empty.'),
    body: z.unknown().describe('The message as text, or with `jsonBody` the JSON as sent.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ hostAddress, db, channels }) => ({ hostAddress, db, channels }),
  listen: stoppable(listenToChannels),
})
