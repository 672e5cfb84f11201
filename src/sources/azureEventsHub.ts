/** The type `azureEventsHub`: events of a hub of Azure Event Hubs. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { examples } from './azureEventsHub/examples.ts'
import type { HubPosition } from './azureEventsHub/position.ts'
import { look, serveHub, standBy } from './azureEventsHub/serve.ts'
import { type AzureEventsHubSpec, specSchema, validateSpec } from './azureEventsHub/spec.ts'
import { stoppable } from './connections/stopping.ts'

export default defineSource<AzureEventsHubSpec, HubPosition>({
  type: 'azureEventsHub',
  title: 'Azure Event Hubs',
  summary: 'Reads the events of a hub of Azure Event Hubs.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    'The last sequence number of each partition is written to the bus in the same write as the events, so whoever serves next goes on exactly there; the id of an event is made from hub, partition and sequence number.',
  ids: 'Namespace, hub, partition and sequence number, which a hub gives once in each partition. Where it counts anew (the hub was made again, or has lost events), the number of that count is part of it.',
  spec: specSchema,
  event: z.object({
    id: z.string().describe("The event's message-id; empty without one, as most producers leave it."),
    partitionKey: z.string().describe('Empty without one.'),
    body: z.string().describe("The event's bytes, always as base64 text."),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  identity: ({ fqdn, hubName }) => ({ fqdn, hubName }),
  follows: 1_000,
  look,
  prepare: stoppable(standBy),
  serve: stoppable(serveHub),
})
