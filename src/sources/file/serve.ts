/** The loop of a file entry: wake, look, tell what changed, write down how far it got. */
import { isAbort, messageOf } from '../../core/errors.ts'
import type { EntryContext, FollowContext, Predecessor } from '../../source.ts'
import type { Op } from '../states/file-event.ts'
import { type Journal, type JournalPosition, type Owed, openJournal } from '../states/journal.ts'
import { type Change, differences, diffPolled, diffWatched, type Hints } from './diff.ts'
import { createHandles, type Handles } from './handles.ts'
import { networkFileSystem } from './mounts.ts'
import { toldBefore, withoutUntold } from './predecessor.ts'
import { type DirectoryFacts, directoryFacts, type Look, lookAtAll, lookAtSome, sameDirectory } from './scan.ts'
import {
  displayName,
  escapedName,
  type FileState,
  isRegular,
  type PackedState,
  pack,
  SELF,
  type Table,
  unpack,
} from './table.ts'
import { hearAll, type Wake, watchDirectory } from './watch.ts'

export type FilePosition = JournalPosition<Op, PackedState>

/** What an entry asks for, ready to use. */
export interface FilePlan {
  /** Cleaned absolute path. */
  directory: string
  polling: boolean
  /** Changes when something else is watched; then it all starts afresh. */
  identity: unknown
  /** Whether an event is meant. `name` is the entry's name, empty for the directory itself. */
  wants(op: Op, name: string): boolean
  /** An event's payload: JSON text. */
  payload(op: Op, name: string): string
}

/** How the loop learns that it should look; tests put others in their place. */
export interface Wakers {
  watchDirectory(directory: string): Wake
  networkFileSystem(directory: string): Promise<string | null>
}

/** Writers make several changes in a row: they are looked at together. */
export const SETTLE_MS = 20
export const POLL_MS = 100
/** Even with the kernel's help everything is looked at now and then: its queue can overflow unnoticed. */
export const SAFETY_MS = 5000
/** A directory that is not there is looked for this often. */
const RETRY_MS = 250
/** A refused watch is asked for again after this. */
const REWATCH_MS = 30_000
/** The longest pauses that are made only because looking takes long: when polling, and after being woken. */
const LONGEST_REST_MS = 2000
const LONGEST_SETTLE_MS = 200
/** A look at a very large directory on a slow network takes minutes, but not so many. */
const SILENT_MS = 600_000

/** Serves until `ctx.signal` aborts. @throws what `emit` throws */
export async function serveDirectory(
  ctx: FollowContext<unknown, FilePosition>,
  plan: FilePlan,
  wakers: Wakers = { watchDirectory, networkFileSystem },
): Promise<void> {
  const { signal } = ctx
  try {
    const journal = await openJournal<Op, FileState, PackedState>(ctx, {
      identity: plan.identity,
      payload: (op, key) => plan.payload(op, displayName(key)),
      pack,
      unpack,
    })
    await follow(ctx, plan, wakers, journal)
  } catch (error) {
    if (!signal.aborted || !(isAbort(error) || error === signal.reason)) throw error
  }
}

/** Looks whether the directory can be read, until `ctx.signal` aborts; consumes nothing. */
export async function checkDirectory(ctx: EntryContext, directory: string): Promise<void> {
  while (!ctx.signal.aborted) {
    const problem = await directoryFacts(directory).then(
      () => null,
      (error: unknown) => whyUnreadable(directory, error),
    )
    if (ctx.signal.aborted) return
    ctx.condition(problem)
    await ctx.clock.sleep(SAFETY_MS, ctx.signal).catch(() => {})
  }
}

async function follow(
  ctx: FollowContext<unknown, FilePosition>,
  plan: FilePlan,
  wakers: Wakers,
  journal: Journal<Op, FileState>,
) {
  const { clock, signal } = ctx
  const ear = createEar(ctx, plan, wakers)
  const handles = createHandles(plan.directory, (key) => tellsDepartures(plan, displayName(key)))
  /** Whether the next look takes in everything; what was heard since the last one. */
  let full = true
  let hints: Hints = new Map()
  let unwritten: ReadonlySet<string> = new Set()
  let safetyDueMs = 0
  /** Until the first look is compared with what they left. */
  let predecessor = ctx.predecessor()
  /** True from the start of a watch to the end of the first look. */
  let began = false
  let said: string | null | undefined
  // only changes are said: others, too, report on this entry
  const say = (problem: string | null) => {
    if (problem !== said) ctx.condition(problem)
    said = problem
  }
  try {
    while (!signal.aborted) {
      ctx.reading(SILENT_MS)
      const startedMs = clock.monotonic()
      let seen: Seen | null
      try {
        if (await ear.listenTo(await directoryFacts(plan.directory))) began = full = true
        seen = await look(plan, ear, full ? null : hints, hints, journal.table ?? new Map(), signal)
      } catch (error) {
        if (signal.aborted) return
        say(whyUnreadable(plan.directory, error))
        ear.close()
        await handles.close()
        ;[full, hints] = [true, new Map()]
        await clock.sleep(RETRY_MS, signal)
        continue
      }
      if (seen === null) {
        ;[full, hints] = [true, new Map()]
        await clock.sleep(SETTLE_MS, signal)
        continue
      }
      const reported = await report(plan, journal, handles, seen, { unwritten, predecessor })
      predecessor = null
      unwritten = reported.unwritten
      // not while listing: open files on NFS leave entries of their own when they are deleted
      if (ear.listens()) await handles.keep(seen.table, began ? seen.table.keys() : reported.changed.keys())
      began = false
      say(seen.problem)
      const restMs = Math.min(LONGEST_REST_MS, 2 * (clock.monotonic() - startedMs))
      if (full) safetyDueMs = clock.monotonic() + Math.max(SAFETY_MS, 10 * restMs)
      const heard = await ear.next(restMs, safetyDueMs)
      full = heard === null || clock.monotonic() >= safetyDueMs
      hints = heard ?? new Map()
    }
  } finally {
    ear.close()
    await handles.close()
  }
}

interface Seen extends Look {
  hints: Hints
  /** Names that were looked at; undefined: all. */
  keys: Iterable<string> | undefined
}

/**
 * Looks at `names` (null: all), then at what was heard of meanwhile, so that both ends of a rename are seen together.
 * Null when the directory was exchanged for another, or too much was missed: look again at everything.
 */
async function look(
  plan: FilePlan,
  ear: Ear,
  names: Hints | null,
  before: Hints,
  known: Table,
  signal: AbortSignal,
): Promise<Seen | null> {
  const { directory } = plan
  const first =
    names === null
      ? await lookAtAll(directory, known, signal)
      : await lookAtSome(directory, names.keys(), known, signal)
  const late = await ear.heard()
  if (late === null) return null
  const last = late.size === 0 ? first : await lookAtSome(directory, late.keys(), first.table, signal)
  if (!ear.hears(last.facts) || !sameDirectory(first.facts, last.facts)) return null
  const hints = new Map(before)
  for (const [key, changed] of late) hints.set(key, changed || hints.get(key) === true)
  if (plan.polling) last.table.set(SELF, last.facts.state)
  return {
    ...last,
    problem: first.problem ?? last.problem,
    hints,
    keys: names === null ? undefined : hints.keys().toArray(),
  }
}

/** Tells the difference to the last look. @returns the names that differ, and those whose content may be on its way (see diff.ts) */
async function report(
  plan: FilePlan,
  journal: Journal<Op, FileState>,
  handles: Handles,
  { table, hints, keys }: Seen,
  { unwritten, predecessor }: { unwritten: ReadonlySet<string>; predecessor: Predecessor | null },
): Promise<{ unwritten: ReadonlySet<string>; changed: ReadonlyMap<string, unknown> }> {
  const seenBefore = predecessor?.seen?.look as Table | undefined
  const outdated = predecessor?.more === true && seenBefore !== undefined
  const begins = journal.table === null || outdated
  if (begins) await journal.begin(firstTable(plan, predecessor, seenBefore ?? table, table))
  if (journal.table === table) return { unwritten: new Set(), changed: new Map(table) }
  const before = journal.table!
  const changes = plan.polling
    ? diffPolled(before, table)
    : await withMoves(
        handles,
        diffWatched(before, table, { hints, unwritten, ...(keys === undefined ? {} : { keys }) }),
      )
  const payload = ({ op, key }: Change) => plan.payload(op, displayName(key))
  // Compared with what ours knew, what they told before the look counts too.
  const seenThen = begins ? (predecessor?.seen ?? null) : null
  const told = predecessor === null ? () => false : toldBefore({ ...predecessor, seen: seenThen }, payload)
  const meant = changes.filter((change) => plan.wants(change.op, displayName(change.key)) && !told(change))
  const changed = differences(before, table, keys)
  await journal.commit(table, changed, meant.map(owedFor))
  const written = new Set(changes.filter(({ op }) => op === 'WRITE').map(({ key }) => key))
  const created = changes.filter(({ op, key, state }) => op === 'CREATE' && isRegular(state) && !written.has(key))
  return { unwritten: new Set(created.map(({ key }) => key)), changed }
}

/** What the first term takes for told. @param began the directory when it was first looked at */
function firstTable(plan: FilePlan, predecessor: Predecessor | null, began: Table, now: Table): Table {
  if (predecessor === null) return began
  return withoutUntold(predecessor, { began, now }, (op, key) => {
    const name = displayName(key)
    return plan.wants(op, name) ? plan.payload(op, name) : null
  })
}

/** An entry that went to another directory was renamed, as far as the kernel is concerned; a listing does not show it. */
async function withMoves(handles: Handles, changes: Change[]): Promise<Change[]> {
  return await Promise.all(
    changes.map(async (change) =>
      change.op === 'REMOVE' && (await handles.movedAway(change.key)) ? { ...change, op: 'RENAME' as const } : change,
    ),
  )
}

/** True when the entry tells of this name's removal or renaming, so that the two must be kept apart. */
function tellsDepartures(plan: FilePlan, name: string): boolean {
  return !plan.polling && (plan.wants('REMOVE', name) || plan.wants('RENAME', name))
}

/**
 * The source id: the event's kind, the name and the state that shows it. The change time, which nobody can set, keeps
 * a file that goes and comes back as it was from being taken for the first one.
 */
function owedFor({ op, key, state }: Change): Owed<Op> {
  const name = key === SELF ? '.' : escapedName(key)
  return [op, key, `${op}:${name}:${state.ino}:${state.size}:${state.mtimeNs}:${state.ctimeNs}`]
}

interface Ear {
  /** Makes sure that this directory is listened to, if one can. @returns true when that began just now */
  listenTo(facts: DirectoryFacts): Promise<boolean>
  listens(): boolean
  /** True unless it listens to another directory than this one. */
  hears(facts: DirectoryFacts): boolean
  /** What the kernel has said so far; null: look at everything. */
  heard(): Promise<Hints | null>
  /** Waits for the moment of the next look. @returns what was heard; null: look at everything */
  next(restMs: number, safetyDueMs: number): Promise<Hints | null>
  close(): void
}

function createEar({ clock, signal, log }: FollowContext<unknown, FilePosition>, plan: FilePlan, wakers: Wakers): Ear {
  let on: { wake: Wake; facts: DirectoryFacts } | null = null
  let retryMs = Number.NEGATIVE_INFINITY
  const close = () => {
    on?.wake.close()
    on = null
  }
  const deaf = (reason: string) => {
    retryMs = clock.monotonic() + REWATCH_MS
    log.info('the directory is polled instead of watched', { directory: plan.directory, reason })
  }
  return {
    close,
    listens: () => on !== null,
    hears: (facts) => on === null || sameDirectory(on.facts, facts),
    async heard() {
      await hearAll(clock)
      return on === null ? new Map() : on.wake.take()
    },
    async listenTo(facts) {
      if (on?.wake.alive && sameDirectory(on.facts, facts)) return false
      close()
      if (plan.polling || clock.monotonic() < retryMs) return false
      const network = await wakers.networkFileSystem(plan.directory)
      if (network !== null) {
        deaf(`file system ${network}`)
        return false
      }
      try {
        on = { wake: wakers.watchDirectory(plan.directory), facts }
      } catch (error) {
        deaf(messageOf(error))
      }
      return on !== null
    },
    async next(restMs, safetyDueMs) {
      if (on === null) {
        await clock.sleep(Math.max(POLL_MS, restMs), signal)
        return null
      }
      const { wake } = on
      if ((await wake.wait(Math.max(0, safetyDueMs - clock.monotonic()), clock, signal)) === 'hint') {
        await clock.sleep(Math.max(SETTLE_MS, Math.min(LONGEST_SETTLE_MS, restMs)), signal)
      }
      await hearAll(clock)
      return wake.take()
    },
  }
}

/** What is wrong with the directory, and what helps. */
function whyUnreadable(directory: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT')
    return `directory ${directory} does not exist: create or mount it, it is watched once it is there`
  if (code === 'ENOTDIR') return `${directory} is not a directory: name the directory that holds the files`
  if (code === 'EACCES' || code === 'EPERM')
    return `directory ${directory} may not be read: allow it to this process's user`
  return `directory ${directory} cannot be read: ${messageOf(error)}`
}
