/** The type `minio`: what happens to the objects of a MinIO bucket. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './minio/examples.ts'
import { IN_FLIGHT, lookOnce, type MinioPosition, serveBucket, standBy } from './minio/serve.ts'
import { bucketOf, type MinioSpec, specSchema, validateSpec } from './minio/spec.ts'
import { MOST_CHANGES } from './states/remembered.ts'

export default defineSource<MinioSpec, MinioPosition>({
  type: 'minio',
  title: 'MinIO',
  summary: 'Tells what happens to the objects of a MinIO bucket.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "The next leader lists the bucket, compares it with what was last told, and tells what happened meanwhile: each object's final state once. Ids are made from the object's key and time of writing, which notifications and listings both show.",
  ids: "The object's key, whether it was written or removed, and its time of writing, in this bucket at this endpoint: notifications and listings both show these. A removed version is known by its version id; what was read or tagged has no identity.",
  spec: specSchema,
  event: z.object({
    notification: z
      .array(z.looseObject({ eventName: z.string().describe('The kind of event.') }))
      .describe("MinIO's records, mostly one."),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry; absent when it has none.'),
  }),
  filterable: false,
  examples,
  validate: validateSpec,
  identity: (spec) => ({ endpoint: spec.endpoint, bucket: bucketOf(spec), filter: spec.filter ?? null }),
  // All that may have been told since the last snapshot.
  recall: 2 * (MOST_CHANGES + IN_FLIGHT),
  follows: 1_000,
  look: lookOnce,
  prepare: stoppable(standBy),
  serve: stoppable(serveBucket),
})
