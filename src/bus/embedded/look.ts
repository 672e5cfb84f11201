/** Whether a store is sound: every page that reading and writing need, every value, and that they agree. */
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { createConsistency } from './consistency.ts'
import type { TableName } from './encoding.ts'
import type { Environment } from './lmdb.ts'
import { type Pages, staleMeta } from './pages.ts'
import { type Survey, snapshotsOf, survey } from './survey.ts'

export interface StoreCheck {
  /** 0 when unknown. */
  format: number
  /** Events read. */
  records: number
  /** Each in a few words; at most 20. Empty: the store is sound. */
  problems: string[]
}

const MAX_PROBLEMS = 20
const TELL_EVERY = 128
const PLACES = ['first', 'second']

/** @param known the newest format whose tables this version knows. `tell`: where it is, how many events, of how many */
export function look(pages: Pages, known: number, tell: (at: string, records: number, of: number) => void): StoreCheck {
  const problems = pages.metas.flatMap((meta, place) => (meta === null ? [`its ${PLACES[place]} page is garbage`] : []))
  const stale = staleMeta(pages.metas)
  if (stale !== null) problems.push(stale)
  const [snapshot] = snapshotsOf(pages)
  if (snapshot === undefined) return { format: 0, records: 0, problems }
  const consistency = createConsistency()
  const seen = new Map<TableName, number>()
  let [at, expected, format, values] = ['meta', 0, 0, 0]
  const say = () => tell(at, seen.get('log') ?? 0, expected)
  const found = survey(
    pages,
    snapshot,
    (value) => {
      const { table, key } = value
      seen.set(table, (seen.get(table) ?? 0) + 1)
      if (table === 'meta' && key === 'format') format = value.value as number
      if (format <= known) consistency.note(value)
      if (++values % TELL_EVERY === 0) say()
    },
    (table, count) => {
      ;[at, expected] = [table, table === 'log' ? count : 0]
      say()
    },
  )
  problems.push(...holesText(found, seen), ...found.freeProblems.map((text) => `the list of free pages: ${text}`))
  if (found.holes.size === 0 && format <= known) problems.push(...consistency.problems())
  return { format, records: seen.get('log') ?? 0, problems: problems.slice(0, MAX_PROBLEMS) }
}

function holesText({ holes, counts }: Survey, seen: Map<TableName, number>): string[] {
  return [...holes].map(([table, [first]]) => {
    const [count, there] = [counts.get(table), seen.get(table) ?? 0]
    const why = first?.why ?? ''
    if (count === undefined) return `table ${table} cannot be read: ${why}`
    if (there >= count) return `table ${table}: ${why}`
    return `of the ${count} values in table ${table} only ${there} can be read (${why})`
  })
}

/**
 * Whether lmdb can begin to write as a run does: values are put and pages taken, and all of it is let go again. May end the process.
 * @throws what lmdb says
 */
export function tryWriting({ tables, transaction }: Environment): void {
  const enough = fail('SHUTTING_DOWN', 'nothing is kept of this')
  try {
    transaction(() => {
      tables.meta.put('generation', tables.meta.get('generation') + 1)
      for (let i = 0; i < 4; i++) tables.kv.put(`trial-${i}`, { value: Buffer.alloc(16 << (4 * i)), revision: 0 })
      throw enough
    })
  } catch (error) {
    if (error !== enough) throw error
  }
}

/** What went wrong, as a problem of the store; a full disk is none. @throws BUS_FULL */
export function asProblem(error: unknown): string {
  if (isVedetteError(error, 'BUS_FULL')) throw error
  return `lmdb cannot work with it: ${messageOf(error)}`
}
