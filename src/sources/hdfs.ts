/** The type `hdfs`: changes below a directory of HDFS. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { stoppable } from './connections/stopping.ts'
import { examples } from './hdfs/examples.ts'
import { type HdfsPosition, lookOnce, serveTree, standBy } from './hdfs/serve.ts'
import { type HdfsSpec, specSchema, validateSpec } from './hdfs/spec.ts'
import { journalPosition } from './states/journal.ts'
import { cleanDirectory } from './states/watch-path.ts'

export default defineSource<HdfsSpec, HdfsPosition>({
  type: 'hdfs',
  title: 'HDFS',
  summary: 'Watches a directory of HDFS, with all that is below it.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "What was last told of the tree is kept on the bus in the same write as the events, so a new leader tells exactly what changed since. A tree only shows states: each entry's final state is told once, and changes between two looks may fold into one.",
  ids: 'The kind of change, the path, the state that shows it (file number, length, time of writing, permissions) and the time at which it was seen: what was told of the tree is in the same write as the event, so nothing is seen twice.',
  spec: specSchema,
  event: z.object({
    name: z.string().describe('Full path of the entry; for a renamed one the new one.'),
    op: z
      .int()
      .min(1)
      .max(31)
      .describe('1 CREATE, 2 WRITE, 4 REMOVE, 8 RENAME, 16 CHMOD, added when there are several.'),
    metadata: z.record(z.string(), z.string()).nullable().describe("The entry's `metadata`, or null."),
  }),
  filterable: true,
  examples,
  validate: validateSpec,
  position: journalPosition,
  identity: ({ directory }) => ({ directory: cleanDirectory(directory) }),
  follows: 1_000,
  look: lookOnce,
  prepare: stoppable(standBy),
  serve: stoppable(serveTree),
})
