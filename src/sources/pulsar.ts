/** The type `pulsar`: messages of topics of Apache Pulsar. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { backoffOptions } from './connections/backoff.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './pulsar/examples.ts'
import { IN_FLIGHT } from './pulsar/intake.ts'
import { removeSubscription } from './pulsar/remains.ts'
import { type PulsarPosition, servePulsar, standBy } from './pulsar/serve.ts'
import { claimsOf, type PulsarSpec, specSchema, validateSpec } from './pulsar/spec.ts'

export default defineSource<PulsarSpec, PulsarPosition>({
  type: 'pulsar',
  title: 'Pulsar',
  summary: 'Takes the messages of topics of Apache Pulsar by a durable subscription.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "A message is acknowledged only when the bus has it, and the broker gives what was not acknowledged to the next replica. The event's id is made from the topic, the message's id and its publish time, so what comes again is stored once.",
  ids: 'Topic and partition, ledger, entry and place in the batch, together with the publish time, since a cluster that is made anew counts its ledgers anew.',
  spec: specSchema,
  event: z.object({
    key: z.string().describe("The message's key; empty without one."),
    publishTime: z.string().describe('As Go prints it, `2023-11-14 22:13:20.123 +0000 UTC`.'),
    body: z.unknown().describe('The message: base64 text, or with `jsonBody` the JSON as sent.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ topics }) => ({ topics }),
  position: z.record(z.string(), z.int().nonnegative().max(100_000)),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  recall: 4 * IN_FLIGHT,
  prepare: stoppable(standBy),
  serve: stoppable(servePulsar),
  claims: claimsOf,
  removes: ({ deleteSubscriptionOnFinish }) => deleteSubscriptionOnFinish,
  remove: removeSubscription,
})
