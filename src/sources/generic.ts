/** The type `generic`: events that a gRPC server of the user's streams. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './generic/examples.ts'
import { type GenericPosition, IN_FLIGHT, serveStream, standBy } from './generic/serve.ts'
import { type GenericSpec, specSchema, validateSpec } from './generic/spec.ts'

export default defineSource<GenericSpec, GenericPosition>({
  type: 'generic',
  title: 'Generic',
  summary: 'Takes the events that a gRPC server of your own streams.',
  strategy: 'active-passive',
  guarantee: 'at-most-once',
  guaranteeOf: ({ uniqueNames }) => (uniqueNames ? 'exactly-once' : 'at-most-once'),
  because:
    'The contract has no acknowledgement: what was sent to a replica that dies is gone. With `uniqueNames` it is exactly-once: the name of the last stored event is the position, which the next request tells the server, and repeats are known by their names.',
  ids: 'With `uniqueNames` the name that the server at `url` gives, together with the payload: a server that counts anew after a restart uses names again. Without it, none.',
  spec: specSchema,
  event: z.object({
    body: z
      .unknown()
      .describe('The payload: base64 text, or with `jsonBody` the JSON as sent; `null` when it is empty.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ url, config }) => ({ url, config }),
  position: z.object({ name: z.string() }),
  recall: 2 * IN_FLIGHT,
  prepare: stoppable(standBy),
  serve: stoppable(serveStream),
})
