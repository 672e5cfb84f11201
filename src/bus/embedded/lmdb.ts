/**
 * The tables over one lmdb environment. Rules of use, from measurements: `overlappingSync` off, so that a commit is on disk
 * when it returns; only synchronous transactions (with lmdb 3.5.6 the callback of an asynchronous one is never called); no
 * read outlives the turn it began in.
 */
import { statfsSync } from 'node:fs'
import { type Database, open, type RootDatabase } from 'lmdb'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import {
  decodeValue,
  encodeValue,
  REPAIR_HINT,
  recordFields,
  recordOf,
  TABLE_NAMES,
  type TableName,
} from './encoding.ts'
import type { Table, Tables } from './tables.ts'

export interface Environment {
  tables: Tables
  /** Runs `work` in one transaction, on disk when this returns. @throws what `work` threw, or a store error; then nothing was written */
  transaction<T>(work: () => T): T
  /** How many pairs a table says that it has. */
  count(name: TableName): number
  /** Bytes of the pages in use (the file itself never shrinks). */
  usedBytes(): number
  /** How many de-duplication ids there are. */
  idCount(): number
  close(): Promise<void>
}

/**
 * Opens or creates; the caller has looked at the file's header before (header.ts), since lmdb may crash on garbage.
 * @param mapBytes address space to set aside; grows by itself
 * @throws STORE_CORRUPT, BUS_FULL, BUS_UNAVAILABLE
 */
export function openEnvironment(
  dir: string,
  { readOnly = false, mapBytes }: { readOnly?: boolean; mapBytes: number },
): Environment {
  try {
    const root: RootDatabase = open({
      path: dir,
      noSubdir: false,
      overlappingSync: false,
      maxDbs: TABLE_NAMES.length + 4,
      mapSize: Math.ceil(mapBytes / 65_536) * 65_536,
      readOnly,
    })
    const databases = Object.fromEntries(
      TABLE_NAMES.map((name) => {
        const database = root.openDB<Buffer, any>({ name, encoding: 'binary' }) as Database<Buffer, any> | undefined
        if (database === undefined)
          throw fail('STORE_CORRUPT', `the store in ${dir} lacks table ${name}; ${REPAIR_HINT}`)
        return [name, database]
      }),
    ) as Record<TableName, Database<Buffer, any>>
    return environmentOf(root, databases, dir)
  } catch (error) {
    throw asStoreError(error, dir)
  }
}

function environmentOf(
  root: RootDatabase,
  databases: Record<TableName, Database<Buffer, any>>,
  dir: string,
): Environment {
  const { meta, log, ids } = databases
  return {
    tables: {
      meta: {
        get(key) {
          const bytes = meta.get(key)
          return bytes === undefined ? 0 : (decodeValue('meta', key, bytes) as number)
        },
        put: (key, value) => meta.putSync(key, encodeValue('meta', key, value)),
      },
      log: {
        get(seq) {
          const bytes = log.get(seq)
          return bytes === undefined ? undefined : recordOf(decodeValue('log', seq, bytes), seq)
        },
        put: (seq, record) => log.putSync(seq, encodeValue('log', seq, recordFields(record))),
        remove: (seq) => log.removeSync(seq),
        first() {
          for (const seq of log.getKeys({ limit: 1 })) return seq
          return 0
        },
        *range(from) {
          let next = Math.max(from, 0)
          for (const { key, value } of log.getRange({ start: next })) {
            yield [key, recordOf(decodeValue('log', key, value), key)]
            next = key + 1
          }
          // measured: at a page that is none, lmdb ends a range as if there were no more
          for (const last of log.getKeys({ reverse: true, limit: 1 })) {
            if (last >= next) {
              throw fail(
                'STORE_CORRUPT',
                `the store is damaged (no way from record ${next} to ${last}); ${REPAIR_HINT}`,
              )
            }
          }
        },
      },
      ids: tableOf(ids, encodeTime, (_, bytes) => (bytes.byteLength === 8 ? bytes.readDoubleBE(0) : 0)),
      terms: packedTable(databases.terms, 'terms'),
      positions: packedTable(databases.positions, 'positions'),
      entries: packedTable(databases.entries, 'entries'),
      leases: packedTable(databases.leases, 'leases'),
      snapshots: packedTable(databases.snapshots, 'snapshots'),
      kv: packedTable(databases.kv, 'kv'),
    },
    transaction(work) {
      try {
        return root.transactionSync(work)
      } catch (error) {
        throw asStoreError(error, dir)
      }
    },
    count: (name) => (databases[name].getStats() as { entryCount: number }).entryCount,
    usedBytes() {
      let pages = 0
      let pageSize = 4096
      for (const database of Object.values(databases)) {
        const stats = database.getStats() as Record<string, number>
        pages += (stats.treeBranchPageCount ?? 0) + (stats.treeLeafPageCount ?? 0) + (stats.overflowPages ?? 0)
        pageSize = stats.pageSize ?? pageSize
      }
      return pages * pageSize
    },
    idCount: () => (ids.getStats() as { entryCount: number }).entryCount,
    close: () => root.close(),
  }
}

/** Ids are small and many, and a damaged one does no harm: no checksum. */
function encodeTime(_: string, timeMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeDoubleBE(timeMs, 0)
  return bytes
}

function packedTable<V>(database: Database<Buffer, any>, name: TableName): Table<V> {
  return tableOf<V>(
    database,
    (key, value) => encodeValue(name, key, value),
    (key, bytes) => decodeValue(name, key, bytes) as V,
  )
}

function tableOf<V>(
  database: Database<Buffer, any>,
  encode: (key: string, value: V) => Buffer,
  decode: (key: string, bytes: Buffer) => V,
): Table<V> {
  return {
    get(key) {
      const bytes = database.get(key)
      return bytes === undefined ? undefined : decode(key, bytes)
    },
    put: (key, value) => database.putSync(key, encode(key, value)),
    remove: (key) => database.removeSync(key),
    *scan(after, limit) {
      const options = {
        ...(after === undefined ? {} : { start: after, exclusiveStart: true }),
        ...(limit === undefined ? {} : { limit }),
      }
      for (const { key, value } of database.getRange(options)) yield [key, decode(key, value)]
    },
  }
}

const EIO = 5
/** A page so far out that no file can have it: its number is damaged (or files may not be so large here: the check tells). */
const EFBIG = 27
const ENOSPC = 28
const EDQUOT = 122
const MAP_FULL = -30792
const FULL: ReadonlySet<unknown> = new Set([ENOSPC, EDQUOT, MAP_FULL, 'ENOSPC', 'EDQUOT'])
/** With less free than this a failed write is taken for a short one. */
const NO_SPACE_BYTES = 1 << 20
/**
 * Of lmdb.h, those that a sound store never gives: PAGE_NOTFOUND, CORRUPTED, PANIC, VERSION_MISMATCH, INVALID, CURSOR_FULL (a tree deeper than
 * any: a loop), PAGE_FULL, INCOMPATIBLE (a table that is none), BAD_TXN, BAD_DBI, PROBLEM, and BAD_CHECKSUM, CRYPTO_FAIL, ENV_ENCRYPTION (nothing
 * here has either). The others are no damage: KEYEXIST and NOTFOUND are answers, MAP_FULL is a full disk, DBS_FULL, TXN_FULL and
 * BAD_VALSIZE would be our mistakes, READERS_FULL, TLS_FULL, MAP_RESIZED, BAD_RSLOT and LOCK_FAILURE pass with a new process.
 */
const DAMAGE = new Set([
  -30797, -30796, -30795, -30794, -30793, -30787, -30786, -30784, -30782, -30780, -30779, -30778, -30777, -30776,
])

/**
 * What the errors of lmdb and of the file system mean for a client. Anything of which it is not sure that nothing was written is
 * OUTCOME_UNKNOWN. @param dir the store's: lmdb says EIO of a short write, too ("filesystem full?", mdb_page_flush in mdb.c)
 */
export function asStoreError(error: unknown, dir?: string): VedetteError {
  if (isVedetteError(error)) return error
  const { code } = error as { code?: unknown }
  const options = { cause: error }
  if (FULL.has(code) || (code === EIO && dir !== undefined && hasNoSpace(dir))) {
    return diskFull(options)
  }
  if (code === EFBIG || DAMAGE.has(Number(code))) return damage(error, Number(code))
  return fail('OUTCOME_UNKNOWN', `the store could not write: ${messageOf(error)}`, { code }, options)
}

const damage = (error: unknown, code: number): VedetteError =>
  fail('STORE_CORRUPT', `the store is damaged (${messageOf(error)}); ${REPAIR_HINT}`, { code }, { cause: error })

/** What went wrong in reading: a damaged store is told with the way back, anything else is as it was. */
export function asReadError(error: unknown): unknown {
  const { code } = error as { code?: unknown }
  return !isVedetteError(error) && DAMAGE.has(Number(code)) ? damage(error, Number(code)) : error
}

export const diskFull = (options?: ErrorOptions): VedetteError =>
  fail('BUS_FULL', 'the disk of the bus is full; free space, and it goes on by itself', {}, options)

function hasNoSpace(dir: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dir)
    return bavail * bsize < NO_SPACE_BYTES
  } catch {
    return false
  }
}
