/** The type `mqtt`: messages of MQTT topics. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { backoffOptions } from './connections/backoff.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './mqtt/examples.ts'
import { listenToTopic, removeSession, serveSession, serveShared, standBy } from './mqtt/serve.ts'
import { claimsOf, guaranteeOfSpec, keepsSession, type MqttSpec, specSchema, validateSpec } from './mqtt/spec.ts'

export default defineSource<MqttSpec>({
  type: 'mqtt',
  title: 'MQTT',
  summary: 'Takes the messages of MQTT topics.',
  strategy: 'active-passive',
  guarantee: 'hot-standby',
  guaranteeOf: guaranteeOfSpec,
  because:
    'With QoS 0 every replica is subscribed; a standby keeps the last 60 s and follows the log, and when it leads it publishes what the log lacks. With `qos: 1` or `2` it is at-least-once: the broker keeps a session, which the next leader takes over, and a message is acknowledged only when the bus has it. A shared subscription (`$share/…`), where a standby would take messages away, only the serving replica has: at most once.',
  ids: 'None: a packet id of MQTT is used again for the next message. A retained message, which the broker tells at each subscription, is known by topic and payload.',
  spec: specSchema,
  event: z.object({
    topic: z.string().describe('The topic that it was published to.'),
    messageId: z.int().describe("The broker's number of the delivery; 0 with QoS 0."),
    body: z.unknown().describe('The message: base64 text, or with `jsonBody` the JSON as sent.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ url, topic, clientId }) => ({ url: url.replace(/\/\/[^/@]*@/, '//'), topic, clientId }),
  reconnect: (spec) => backoffOptions(spec.connectionBackoff),
  prepare: stoppable(standBy),
  serve: stoppable((ctx) => (ctx.spec.qos === 0 ? serveShared(ctx) : serveSession(ctx))),
  listen: stoppable(listenToTopic),
  claims: claimsOf,
  removes: keepsSession,
  remove: removeSession,
})
