/** The loop of an HDFS entry: look at the tree, tell what changed, write down how far it got. */
import { fail, isVedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, FollowContext } from '../../source.ts'
import { fileEvents, pathWithin } from '../states/file-event.ts'
import { type JournalPosition, type Owed, openJournal } from '../states/journal.ts'
import { cleanDirectory, matcherOf } from '../states/watch-path.ts'
import { type Change, changesBetween, type EntryState, inPortions, maskOf, type Tree } from './diff.ts'
import { toldBefore, withoutUntold } from './predecessor.ts'
import { type HdfsSpec, intervalMs } from './spec.ts'
import { type Listed, openWebHdfs, type WebHdfs } from './webhdfs.ts'

/** The event's bits, as text. */
type Op = `${number}`
export type HdfsPosition = JournalPosition<Op, EntryState>

/** Directories that are listed side by side. */
const LISTINGS = 8
/** Events that are written down at once. */
const MOST_TOLD = 50_000
/** Requests are bounded: a look that has not got on for so long stands still. */
const SILENT_MS = 120_000

/** The directory can be listed by this user. */
export async function standBy(ctx: EntryContext<HdfsSpec>): Promise<void> {
  const hdfs = await openWebHdfs(ctx)
  try {
    await rootOf(hdfs, cleanDirectory(ctx.spec.directory), ctx.signal)
    ctx.condition(null)
    await whenAborted(ctx.signal)
  } finally {
    await hdfs.close()
  }
}

/** The tree as it is. */
export async function lookOnce(ctx: EntryContext<HdfsSpec>): Promise<Tree> {
  const hdfs = await openWebHdfs(ctx)
  try {
    return await look(hdfs, cleanDirectory(ctx.spec.directory), ctx.signal, () => {})
  } finally {
    await hdfs.close()
  }
}

export async function serveTree(ctx: FollowContext<HdfsSpec, HdfsPosition>): Promise<void> {
  const { spec, signal, clock } = ctx
  const directory = cleanDirectory(spec.directory)
  const [mask, matches] = [maskOf(spec.type), matcherOf(spec)]
  const eventOf = fileEvents(spec.metadata)
  const hdfs = await openWebHdfs(ctx)
  try {
    const journal = await openJournal<Op, EntryState, EntryState>(ctx, {
      identity: { directory },
      payload: (op, path) => eventOf(pathWithin(directory, path), Number(op)),
      pack: (state) => state,
      unpack: (state) => state,
    })
    // At the very first look everything is new, as in Argo Events; after its own Pods, what is new since they were seen.
    let predecessor = ctx.predecessor()
    const seenBefore = predecessor?.seen?.look as Tree | undefined
    const outdated = predecessor?.more === true && seenBefore !== undefined
    let begins = journal.table === null || outdated
    const payload = ({ op, path }: Pick<Change, 'op' | 'path'>) => eventOf(pathWithin(directory, path), op)
    const wanted = (op: number, path: string) => (op & mask) !== 0 && matches(path)
    for (;;) {
      const startedMs = clock.monotonic()
      const tree = await look(hdfs, directory, signal, () => ctx.reading(SILENT_MS))
      ctx.condition(null)
      if (begins) {
        const began = seenBefore ?? new Map()
        await journal.begin(withoutUntold(predecessor, { began, now: tree }, payload, wanted))
      }
      begins = false
      const before = journal.table!
      const seenMs = clock.now()
      const told = toldBefore(predecessor, payload)
      const meant = changesBetween(before, tree).filter((change) => wanted(change.op, change.path) && !told(change))
      predecessor = null
      for (const { tree: so, changed, told } of inPortions(before, tree, meant, MOST_TOLD)) {
        const owed = told.map(
          ({ op, path, state }): Owed<Op> => [`${op}`, path, `${op}:${path}:${state.join(':')}:${seenMs}`],
        )
        await journal.commit(so, changed, owed).catch((error: unknown) => {
          throw isVedetteError(error, 'VALUE_TOO_LARGE') ? outgrown(directory, tree, error) : error
        })
      }
      ctx.reading(intervalMs(spec) + SILENT_MS)
      await clock.sleep(Math.max(0, intervalMs(spec) - (clock.monotonic() - startedMs)), signal)
    }
  } finally {
    await hdfs.close()
  }
}

const outgrown = (directory: string, { size }: Tree, { message }: Error) =>
  fail(
    'VALUE_TOO_LARGE',
    `${directory} has ${size} entries, more than the bus can keep (${message}): what changes is told once there are fewer; watch directories below it, each as an entry of its own`,
  )

async function rootOf(hdfs: WebHdfs, directory: string, signal: AbortSignal): Promise<Listed[]> {
  const entries = await hdfs.list(directory, signal)
  if (entries !== null) return entries
  throw fail('ORIGIN_UNAVAILABLE', `directory ${directory} does not exist: it is watched once it is there`)
}

/** All that is below. What goes while it is looked at is not in it. @param getsOn called at each step. @throws ORIGIN_UNAVAILABLE when a part cannot be read */
async function look(hdfs: WebHdfs, directory: string, signal: AbortSignal, getsOn: () => void): Promise<Tree> {
  const tree = new Map<string, EntryState>()
  const ahead: string[] = []
  const seen = new Map<string, string>()
  const take = (within: string, entries: Listed[]) => {
    for (const { name, state, inside } of entries) {
      const path = within === '' ? name : `${within}/${name}`
      // What moves meanwhile may be seen twice: it is where it was seen last. All of its state counts, since in a tree of several name
      // nodes (federation) a number alone may be that of two entries.
      if (state[0] !== 0) {
        const same = `${state.join(':')}:${name}`
        const earlier = seen.get(same)
        if (earlier !== undefined) tree.delete(earlier)
        seen.set(same, path)
      }
      tree.set(path, state)
      if (inside) ahead.push(path)
    }
  }
  take('', await rootOf(hdfs, directory, signal))
  while (ahead.length > 0) {
    getsOn()
    await Promise.all(
      ahead.splice(0, LISTINGS).map(async (path) => {
        take(path, (await hdfs.list(pathWithin(directory, path), signal)) ?? [])
      }),
    )
  }
  return tree
}
