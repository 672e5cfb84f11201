/** What the registrar remembers in the bus's key/value store, one record per entry. */
import { randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { KeyValue, SourceRef } from '../../bus/bus.ts'
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { jsonIn } from '../../core/json-in.ts'

/** The hook of one target. */
export interface HookRecord {
  /** The provider's id. */
  id: string
  /** {@link HookRecords.wanted} as it was when the hook was last made so. */
  wanted: string
  /** The secret that the provider made. */
  secret?: string
}

export interface HookRecords {
  /** Makes the hashes of this entry differ from those of others. */
  salt: string
  /** Passes that ended, well or not: tells a replica that another one has just looked. */
  passes: number
  /** Salted, slow hash of what the last pass wanted. */
  wanted: string
  /** What went wrong in the last pass, and when to try again; null: nothing. */
  failed: { error: string; retryMs: number; attempt: number } | null
  /** By the target's name. */
  hooks: Record<string, HookRecord>
}

/** Keys of an entry in the store. */
export const keysOf = ({ namespace, name }: SourceRef, entry: string) => ({
  lease: `hooks/${namespace}/${name}/${entry}/lease`,
  records: `hooks/${namespace}/${name}/${entry}/records`,
})

export interface Stored {
  records: HookRecords
  /** 0: there are none yet. */
  revision: number
}

/** @throws BUS_UNAVAILABLE */
export async function readRecords(kv: KeyValue, key: string): Promise<Stored> {
  const found = await kv.get(key)
  const fresh: HookRecords = { salt: randomBytes(16).toString('hex'), passes: 0, wanted: '', failed: null, hooks: {} }
  if (found === null) return { records: fresh, revision: 0 }
  // Damaged, or of others: providers are asked what there is, so nothing depends on it but secrets that they made, which are made anew.
  const read = stored.safeParse(jsonIn(found.value)).data
  const records = read === undefined ? fresh : { ...read, salt: read.salt || fresh.salt }
  return { records, revision: found.revision }
}

/** No pass asks for a longer pause. */
const LONGEST_RETRY_MS = 3_600_000
const text = z.string()
const hook = z.object({ id: text, wanted: text, secret: text.exactOptional() })
/** Member by member: what is wrong in one is as if it were not there. */
const stored = z.object({
  salt: text.catch(''),
  passes: z.int().nonnegative().catch(0),
  wanted: text.catch(''),
  failed: z
    .object({ error: text, retryMs: z.number().nonnegative().max(LONGEST_RETRY_MS), attempt: z.int().nonnegative() })
    .nullable()
    .catch(null),
  hooks: z.record(text, hook).catch({}),
})

/** @returns the records with their new revision. @throws LOCK_UNAVAILABLE when somebody else has written; BUS_UNAVAILABLE… */
export async function writeRecords(kv: KeyValue, key: string, { records, revision }: Stored): Promise<Stored> {
  const written = await kv.put(key, Buffer.from(JSON.stringify(records)), revision)
  if (written === null) throw fail('LOCK_UNAVAILABLE', 'another replica is registering hooks')
  return { records, revision: written }
}

const derive = promisify<string, string, number, Buffer>(scrypt)

/** Hashes what is wanted so that nobody who reads the bus can guess the secrets in it. Remembers the last answer: it is slow on purpose. */
export function createHasher(): (wanted: unknown, salt: string) => Promise<string> {
  let last: { input: string; hash: Promise<string> } | null = null
  return (wanted, salt) => {
    const text = JSON.stringify(wanted)
    const input = `${salt} ${text}`
    if (last?.input !== input) last = { input, hash: derive(text, salt, 32).then((bytes) => bytes.toString('hex')) }
    return last.hash
  }
}

/** A secret that was read is used for so long, so that a flood of requests does not become one of reads. */
const FRESH_MS = 1_000

/** Reads the secrets that providers made. @returns by the target's name; null: there is none (yet) */
export function createHookSecrets({
  source,
  entry,
  kv,
  clock,
  hide,
}: {
  source: SourceRef
  entry: string
  kv: KeyValue | null
  clock: Clock
  /** Is told each secret that is read. */
  hide: (secret: string) => void
}): (target: string) => Promise<string | null> {
  const { records: key } = keysOf(source, entry)
  let last: { read: Promise<Stored>; atMs: number } | null = null
  return async (target) => {
    if (kv === null) return null
    if (last === null || clock.monotonic() - last.atMs >= FRESH_MS) {
      last = { read: readRecords(kv, key), atMs: clock.monotonic() }
    }
    const current = last
    try {
      const secret = (await current.read).records.hooks[target]?.secret ?? null
      if (secret !== null) hide(secret)
      return secret
    } catch (error) {
      if (last === current) last = null
      throw error
    }
  }
}
