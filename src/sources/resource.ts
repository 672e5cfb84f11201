/** The type `resource`: what happens to objects of a Kubernetes kind. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './resource/examples.ts'
import { IN_FLIGHT, lookOnce, type ResourcePosition, serveResource, standBy } from './resource/serve.ts'
import { type ResourceSpec, specSchema, validateSpec } from './resource/spec.ts'
import { MOST_CHANGES } from './states/remembered.ts'

export default defineSource<ResourceSpec, ResourcePosition>({
  type: 'resource',
  title: 'Resource',
  summary: 'Tells what happens to objects of a Kubernetes kind.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "The position is the resourceVersion: the next leader watches from there, and once the API server has forgotten it, compares what is there with what was last told: each object's final state once. Ids are made from the object's uid and resourceVersion.",
  ids: "The kind of event, the object's `uid`, which no two objects of any cluster share, and its `resourceVersion`; for a deletion the version that was last told.",
  needs: ['kubernetes'],
  spec: specSchema,
  event: z.object({
    type: z.enum(['ADD', 'UPDATE', 'DELETE']).describe('What happened.'),
    body: z.looseObject({}).describe('The object, its keys sorted.'),
    oldBody: z.looseObject({}).nullable().describe('What it was before an UPDATE; else `null`.'),
    group: z.string().describe('`group` of the entry.'),
    version: z.string().describe('`version` of the entry.'),
    resource: z.string().describe('`resource` of the entry.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: false,
  examples,
  validate: validateSpec,
  identity: ({ group, version, resource, namespace, filter }) => ({
    group,
    version,
    resource,
    namespace,
    labels: filter?.labels ?? [],
  }),
  // All that may have been told since the last snapshot.
  recall: 2 * (MOST_CHANGES + IN_FLIGHT),
  follows: 2_000,
  look: lookOnce,
  prepare: stoppable(standBy),
  serve: stoppable(serveResource),
})
