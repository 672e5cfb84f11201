/** The type `kafka`: messages of a topic of Apache Kafka. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { backoffOptions } from './connections/backoff.ts'
import { examples } from './kafka/examples.ts'
import type { KafkaPosition } from './kafka/position.ts'
import { look, serveKafka, standBy } from './kafka/serve.ts'
import { claimsOf, type KafkaSpec, specSchema, validateSpec } from './kafka/spec.ts'

export default defineSource<KafkaSpec, KafkaPosition>({
  type: 'kafka',
  title: 'Kafka',
  summary: 'Reads the messages of a topic of Apache Kafka.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    'The next offset of each partition is written to the bus in the same write as the events, so whoever serves next goes on exactly there; the id of an event is made from topic, partition and offset.',
  ids: "Topic, partition and offset at the first broker of `url`, by Argo Events' own rule. Another topic or cluster under the same name counts anew, and the number of that count is part of it. The namespace is not: EventSources of two namespaces that share a JetStream stream need names of their own.",
  spec: specSchema,
  event: z.object({
    topic: z.string().describe('The topic.'),
    key: z.string().describe("The message's key as text; empty without one."),
    partition: z.int().describe('The partition.'),
    body: z
      .unknown()
      .describe(
        'The message: base64 text, or with `jsonBody` the JSON as sent, or made of Avro; `null` for a tombstone.',
      ),
    timestamp: z.string().describe('As Go prints it, `2023-11-14 22:13:20.123 +0000 UTC`.'),
    headers: z.record(z.string(), z.string()).describe('Its headers as text; of several with one name the last.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  // Not the brokers: a cluster is known by its id, however it is reached.
  position: z.object({
    ...{ cluster: z.string(), topic: z.string(), resets: z.int().nonnegative() },
    offsets: z.record(z.string(), z.int()),
  }),
  identity: (spec) => ({ topic: spec.topic, group: spec.consumerGroup?.groupName, partition: spec.partition }),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  // Their events name their offsets; with a group the origin keeps them too.
  follows: 100,
  look,
  prepare: standBy,
  serve: serveKafka,
  claims: claimsOf,
})
