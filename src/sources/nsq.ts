/** The type `nsq`: messages of an NSQ channel. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { backoffOptions } from './connections/backoff.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './nsq/examples.ts'
import { removeChannel } from './nsq/remains.ts'
import { IN_FLIGHT, serveNsq, standBy } from './nsq/serve.ts'
import { claimsOf, type NsqSpec, specSchema, validateSpec } from './nsq/spec.ts'

export default defineSource<NsqSpec>({
  type: 'nsq',
  title: 'NSQ',
  summary: 'Takes messages from a channel of an NSQ topic.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "A message is finished only when the bus has it, and nsqd gives what was not finished to the next replica. The event's id is made from the message's id, timestamp and body, so what comes again is stored once.",
  ids: "The message's id, its time in nanoseconds, and the body, which all stay the same when nsqd queues it again. An id alone is one within a channel of one nsqd: several may count with the same node id.",
  spec: specSchema,
  event: z.object({
    body: z.unknown().describe('The message: base64 text, or with `jsonBody` the JSON as sent.'),
    timestamp: z.string().describe('When nsqd got it, nanoseconds since the epoch, as text.'),
    nsqdAddress: z.string().describe('The nsqd that it came from, `ip:port`.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ hostAddress, topic, channel }) => ({ hostAddress, topic, channel }),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  // For each of several nsqds.
  recall: 8 * IN_FLIGHT,
  prepare: stoppable(standBy),
  serve: stoppable(serveNsq),
  claims: claimsOf,
  removes: ({ deleteChannelOnFinish }) => deleteChannelOnFinish,
  remove: removeChannel,
})
