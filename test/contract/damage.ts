/** Stores to be damaged, and a damage for every number: each role a page can have, each thing that a disk may do to it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeValue, recordFields } from '../../src/bus/embedded/encoding.ts'
import { putValue, writeLease } from '../../src/bus/embedded/leases.ts'
import { BRANCH, isFlagged, OVERFLOW, openPages, type Pages, treeOf } from '../../src/bus/embedded/pages.ts'
import { append, appendFenced, claim, saveSnapshot } from '../../src/bus/embedded/rules.ts'
import { openStore } from '../../src/bus/embedded/store.ts'
import { snapshotsOf } from '../../src/bus/embedded/survey.ts'
import type { LogRecord } from '../../src/bus/embedded/tables.ts'
import { createPageSet, walkTree } from '../../src/bus/embedded/walk.ts'

export type Random = () => number

/** Mulberry32: a seed gives the same numbers everywhere. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T

export interface Built {
  file: Buffer
  /** The file some transactions before, for pages of yesterday. */
  before: Buffer
  mark: Buffer
  /** Every event that is in it. */
  events: Map<number, LogRecord>
  /** Of each of them, its bytes and where they lie. */
  values: Map<number, { value: Buffer; at: number }>
  /** Every event that ever was. */
  ever: Map<number, LogRecord>
  /** By entry key: every position that ever was, the last one last. */
  positions: Map<string, number[]>
  /** Pages by what they are: `meta`, `main`, `branch`, `leaf log`, `overflow`, `free tree`, `free`… */
  roles: Map<string, number[]>
}

const ROUNDS = 220

/**
 * A store that has lived: several sources and tables, big events and small, old ones gone, pages freed and used again.
 * `rewrites`: also values that were written twice in one transaction, and keep more pages than they fill.
 */
export async function buildStore(random: Random, { rewrites = false } = {}): Promise<Built> {
  const dir = mkdtempSync(join(tmpdir(), 'vdamage-'))
  const store = await openStore({ dir, incarnation: 'next', maxBytes: 1 << 20 })
  const at = { nowMs: Date.now(), incarnation: store.incarnation, dedupMs: 1e9 }
  const sources = [0, 1, 2].map((i) => ({ namespace: 'default', name: `source-${i}` }))
  const lease = (holder: string) => ({ holder, durationMs: 1500, term: 0, released: false })
  const terms = store.transaction((tables) =>
    sources.map((source) => {
      writeLease(tables, at, `default/${source.name}`, lease('r-0'), null)
      return claim(tables, at, source, { holder: 'r-0', nonce: 'n', floor: 0 }).term
    }),
  )
  const ever: Built['ever'] = new Map()
  const positions: Built['positions'] = new Map()
  let [count, before] = [0, Buffer.alloc(0)]
  const event = () => {
    const size = random() < 0.3 ? 2000 + random() * 9000 : 20 + random() * 900
    return { id: `id-${count++}`, event: Buffer.alloc(size, String.fromCharCode(97 + (count % 26))) }
  }
  for (let round = 0; round < ROUNDS; round++) {
    store.transaction((tables) => {
      const source = sources[round % 3] as (typeof sources)[number]
      const batch = Array.from({ length: 1 + Math.floor(random() * 12) }, event)
      if (round % 4 === 0)
        append(
          tables,
          at,
          source,
          batch.map((one) => ({ ...one, entry: 'free' })),
        )
      else {
        const fence = { source, term: terms[round % 3] as number, nonce: 'n' }
        appendFenced(
          tables,
          at,
          fence,
          batch.map((one) => ({ ...one, entry: 'led', position: count })),
        )
        const key = `default/${source.name}/led`
        positions.set(key, [...(positions.get(key) ?? []), count])
        if (round % 10 === 1) saveSnapshot(tables, at, fence, 'led', Buffer.alloc(200 + random() * 6000, 's'))
      }
      if (round % 5 === 0) putValue(tables, at, `key-${round % 25}`, Buffer.alloc(random() * 300, 'v'), undefined)
      if (rewrites && round % 9 === 0)
        for (const size of [6000 + random() * 20_000, random() * 6000])
          putValue(tables, at, `rewritten-${round % 27}`, Buffer.alloc(size, 'v'), undefined)
    })
    for (const [seq, record] of store.committed.log.range(0)) ever.set(seq, record)
    if (round % 8 === 0) while (store.tidy(at.nowMs));
    if (round === ROUNDS - 6) before = readFileSync(join(dir, 'data.mdb'))
  }
  const events = new Map(store.committed.log.range(0))
  await store.close()
  const [file, mark] = [readFileSync(join(dir, 'data.mdb')), readFileSync(join(dir, 'store.json'))]
  const pages = openPages(join(dir, 'data.mdb'))
  const roles = rolesIn(pages)
  pages.close()
  rmSync(dir, { recursive: true, force: true })
  const values: Built['values'] = new Map()
  for (const [seq, record] of events) {
    const value = encodeValue('log', seq, recordFields(record))
    values.set(seq, { value, at: file.indexOf(value) })
  }
  return { file, before, mark, events, values, ever, positions, roles }
}

function rolesIn(pages: Pages): Built['roles'] {
  const roles: Built['roles'] = new Map()
  const seen = new Set<number>([0, 1])
  const note = (role: string, page: number) => {
    seen.add(page)
    roles.set(role, [...(roles.get(role) ?? []), page])
  }
  note('meta', 0)
  note('meta', 1)
  const [snapshot] = snapshotsOf(pages)
  if (snapshot === undefined || snapshot.free === null) throw new Error('the store is none')
  const reading = (role: string) => ({
    pages: {
      ...pages,
      read(number: number, run?: number) {
        const bytes = pages.read(number, run)
        if (bytes === null) throw new Error(`no page ${number}`)
        if (isFlagged(bytes, OVERFLOW)) for (let i = 0; i < (run ?? 1); i++) note(`${role} overflow`, number + i)
        else note(`${role} ${isFlagged(bytes, BRANCH) ? 'branch' : 'leaf'}`, number)
        return bytes
      },
    },
    lastPage: snapshot.lastPage,
    used: createPageSet(pages.count),
    isFree: role === 'free tree',
    onHole({ why }: { why: string }): never {
      throw new Error(`the store is not sound: ${why}`)
    },
  })
  for (const leaves of walkTree(reading('main'), snapshot.main, snapshot.transaction)) {
    for (const { key, data, transaction } of leaves) {
      const role = key.toString('latin1').slice(0, -1)
      for (const _ of walkTree(reading(role), treeOf(data), transaction));
    }
  }
  for (const _ of walkTree(reading('free tree'), snapshot.free, snapshot.transaction));
  for (let page = 2; page < pages.count; page++) if (!seen.has(page)) note('free', page)
  return roles
}

export interface Damage {
  /** In words. */
  what: string
  /** What is left of the file; null: it is gone. */
  file: Buffer | null
}

const PAGE = 4096
const SECTOR = 512

/** One damage, or two together. */
export function damage(built: Built, random: Random): Damage {
  const first = damageOnce(built, built.file, random)
  if (first.file === null || random() < 0.75) return first
  const second = damageOnce(built, first.file, random)
  return { what: `${first.what}; ${second.what}`, file: second.file }
}

function damageOnce(built: Built, from: Buffer, random: Random): Damage {
  const file = Buffer.from(from)
  const role = pick(
    random,
    [...built.roles.keys()].filter((role) => role !== 'free'),
  )
  const page = pick(random, built.roles.get(role) ?? [])
  const other = Math.floor(random() * (file.byteLength / PAGE))
  const bytes = file.subarray(page * PAGE, (page + 1) * PAGE)
  const garbage = (length: number) => Buffer.from(Uint8Array.from({ length }, () => random() * 256))
  const at = `page ${page} (${role})`
  const kinds: (() => Damage)[] = [
    () => {
      bytes.fill(0)
      return { what: `${at} zeroed`, file }
    },
    () => {
      garbage(bytes.byteLength).copy(bytes)
      return { what: `${at} garbage`, file }
    },
    () => {
      const old = built.before.subarray(page * PAGE, (page + 1) * PAGE)
      for (let sector = 0; sector < bytes.byteLength; sector += SECTOR) {
        if (random() < 0.5) continue
        const part = bytes.subarray(sector, sector + SECTOR)
        const how = random()
        if (how < 0.4) part.fill(0)
        else if (how < 0.7 || old.byteLength < sector + SECTOR) garbage(part.byteLength).copy(part)
        else old.copy(part, 0, sector, sector + SECTOR)
      }
      return { what: `${at} torn`, file }
    },
    () => {
      for (let i = 0; i < 1 + random() * 8; i++) {
        const place = Math.floor(random() * random() * bytes.byteLength)
        if (place < bytes.byteLength) bytes[place] = (bytes[place] as number) ^ (1 << Math.floor(random() * 8))
      }
      return { what: `${at} with flipped bits`, file }
    },
    () => {
      const mine = Buffer.from(bytes)
      file.copy(file, page * PAGE, other * PAGE, (other + 1) * PAGE)
      mine.copy(file, other * PAGE)
      return { what: `${at} and page ${other} swapped`, file }
    },
    () => {
      file.copy(file, page * PAGE, other * PAGE, (other + 1) * PAGE)
      return { what: `${at} overwritten with page ${other}`, file }
    },
    () => {
      const old = built.before.subarray(page * PAGE, (page + 1) * PAGE)
      old.copy(bytes)
      return { what: `${at} of yesterday`, file }
    },
    () => {
      const length = Math.floor(random() * file.byteLength)
      return { what: `cut at ${length}`, file: file.subarray(0, length) }
    },
    () => {
      const place = 24 + Math.floor(random() * 17) * 8
      garbage(8).copy(file, (page % 2) * PAGE + place)
      return { what: `byte ${place} to ${place + 8} of page ${page % 2} garbage`, file }
    },
    () => {
      const length = Math.floor(random() * 64) * SECTOR
      const from = Math.floor((random() * file.byteLength) / SECTOR) * SECTOR
      file.fill(0, from, from + length)
      return { what: `${length} bytes from ${from} zeroed`, file }
    },
  ]
  if (random() < 0.02)
    return random() < 0.5
      ? { what: 'the file is gone', file: null }
      : { what: 'the file is empty', file: Buffer.alloc(0) }
  return pick(random, kinds)()
}

/** The events whose bytes are still whole somewhere in the file. */
export function survivorsOf({ values }: Built, damaged: Buffer | null): number[] {
  if (damaged === null) return []
  return [...values].flatMap(([seq, { value, at }]) => {
    const isThere = damaged.subarray(at, at + value.byteLength).equals(value) || damaged.includes(value)
    return isThere ? [seq] : []
  })
}

/** Puts a damaged store into a directory. */
export function layOut(built: Built, damaged: Damage, dir: string): void {
  writeFileSync(join(dir, 'store.json'), built.mark)
  if (damaged.file !== null) writeFileSync(join(dir, 'data.mdb'), damaged.file)
}
