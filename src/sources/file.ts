/** File: changes in one directory, by the kernel's notifications or by polling. Payload and matching as in Argo Events. */
import { posix } from 'node:path'
import { z } from 'zod'
import { filterSchema, metadataSchema } from '../source/schemas.ts'
import { defineSource, type Finding } from '../source.ts'
import { example, pollingExample } from './file/examples.ts'
import { lookOnce } from './file/predecessor.ts'
import { checkDirectory, type FilePlan, type FilePosition, serveDirectory } from './file/serve.ts'
import { fileEvents, type Op, ops, pathWithin } from './states/file-event.ts'
import { journalPosition } from './states/journal.ts'
import { cleanDirectory, matcherOf, validateWatchPath, watchPathSchema } from './states/watch-path.ts'

const spec = z.object({
  eventType: z
    .string()
    .default('')
    .describe(
      'The one kind of event that is published: `CREATE`, `WRITE`, `REMOVE`, `RENAME` or `CHMOD`, in capitals.',
    ),
  watchPathConfig: watchPathSchema.optional(),
  polling: z
    .boolean()
    .default(false)
    .describe(
      "True: the directory is listed every 100 ms, and events name the entry only, as in Argo Events' polling mode. False: the kernel's notifications are used (where a file system has none, listing steps in by itself), and events have the full path.",
    ),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
type FileSpec = z.infer<typeof spec>

const event = z.object({
  name: z.string().describe('Full path of the entry; with `polling` its name only. For RENAME the old one.'),
  op: z
    .union([z.literal(1), z.literal(2), z.literal(4), z.literal(8), z.literal(16)])
    .describe('1 CREATE, 2 WRITE, 4 REMOVE, 8 RENAME, 16 CHMOD.'),
  metadata: z.record(z.string(), z.string()).nullable().describe("The entry's `metadata`, or null."),
})

const pathOf = ({ watchPathConfig }: FileSpec) => watchPathConfig ?? { directory: '' }

function validate(entry: FileSpec): Finding[] {
  const { eventType } = entry
  const findings: Finding[] = []
  if (eventType === '') {
    findings.push({
      severity: 'error',
      path: ['eventType'],
      message: 'type must be specified',
      remedy: 'write CREATE, WRITE, REMOVE, RENAME or CHMOD',
    })
  } else if (!Object.hasOwn(ops, eventType)) {
    findings.push({
      severity: 'warning',
      path: ['eventType'],
      message: `no event of the type ${JSON.stringify(eventType)} ever happens${eventType === 'MOVE' ? ' within one directory' : ''}`,
      remedy: `write one of ${Object.keys(ops).join(', ')}`,
      fatal: true,
    })
  }
  const inPath = validateWatchPath(pathOf(entry)).map((f) => ({ ...f, path: ['watchPathConfig', ...f.path] }))
  return [...findings, ...inPath]
}

function identity(entry: FileSpec): unknown {
  const { directory, path = '', pathRegexp = '' } = pathOf(entry)
  return { directory: cleanDirectory(directory), path, pathRegexp, polling: entry.polling }
}

function planOf(entry: FileSpec): FilePlan {
  const { eventType, polling } = entry
  const directory = cleanDirectory(pathOf(entry).directory)
  const matches = matcherOf(pathOf(entry))
  const eventOf = fileEvents(entry.metadata)
  // the directory itself has no name within itself: polling tells of it by its own
  const nameOf = (name: string) => (name === '' ? posix.basename(directory) : name)
  return {
    directory,
    polling,
    identity: identity(entry),
    wants: (op: Op, name) => op === eventType && matches(nameOf(name)),
    payload(op, name) {
      const told = polling ? nameOf(name) : pathWithin(directory, name)
      return eventOf(told, ops[op])
    },
  }
}

export default defineSource<FileSpec, FilePosition>({
  type: 'file',
  title: 'File',
  summary: 'Watches a directory for entries that are created, written, removed, renamed or get other attributes.',
  strategy: 'active-passive',
  guarantee: 'exactly-once',
  because:
    "The directory's last told state is kept on the bus in the same write as the events, so a new leader tells exactly what changed since, under ids made from name, inode, size and times. A directory only shows states: each entry's final state is told once, and changes inside a gap may fold into one.",
  ids: "The kind of change, the file's name, and its inode, size, time of writing and time of change, in this directory: the last one cannot be set, so a file that comes back as it was is told apart.",
  needs: ['files'],
  spec,
  event,
  filterable: true,
  examples: [example, pollingExample],
  validate,
  identity,
  position: journalPosition,
  follows: 1_000,
  look: (ctx) => lookOnce(ctx, planOf(ctx.spec)),
  prepare: (ctx) => checkDirectory(ctx, cleanDirectory(pathOf(ctx.spec).directory)),
  serve: (ctx) => serveDirectory(ctx, planOf(ctx.spec)),
})
