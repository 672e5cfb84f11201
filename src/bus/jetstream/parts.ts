/** Bytes beside the log, in the bucket: cut into parts that fit a message, and known by their digest. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { NatsKv } from '../../clients/nats-kv.ts'
import { fail } from '../../core/errors.ts'

/** What it takes to read them again, beside where they lie. */
export interface Parts {
  parts: number
  sha256: string
}

/** More than the largest of ours need: whoever names more would have somebody ask for each of them. */
const MOST_PARTS = 8_192
const MOST_BYTES = 64 << 20

/** What may stand in a record or a head that names parts, and in which slot of its place they lie. */
export const parts = {
  shape: { parts: z.int().nonnegative().max(MOST_PARTS), sha256: z.string().max(128) },
  slot: z.string().regex(/^[\w-]{1,64}$/),
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export const partKey = (place: string, n: number): string => `${place}.${n}`

/** Writes over what is at `place`. @throws VALUE_TOO_LARGE, BUS_UNAVAILABLE, BUS_FULL, OUTCOME_UNKNOWN */
export async function saveParts(kv: NatsKv, place: string, bytes: Uint8Array, partBytes: number): Promise<Parts> {
  const parts = Math.ceil(bytes.byteLength / partBytes)
  if (parts > MOST_PARTS || bytes.byteLength > MOST_BYTES) {
    const what = `${place} would have ${bytes.byteLength} bytes in ${parts} parts, more than ${MOST_BYTES} in ${MOST_PARTS}`
    throw fail('VALUE_TOO_LARGE', `${what}; parts are as large as max_payload of NATS allows`)
  }
  for (let n = 0; n < parts; n++) {
    await kv.put(partKey(place, n), bytes.subarray(n * partBytes, (n + 1) * partBytes))
  }
  return { parts, sha256: digest(bytes) }
}

/** @returns null when they are gone, or others lie there. @throws BUS_UNAVAILABLE */
export async function loadParts(kv: NatsKv, place: string, { parts, sha256 }: Parts): Promise<Buffer | null> {
  const found: Uint8Array[] = []
  let size = 0
  for (let n = 0; n < parts; n++) {
    const part = await kv.get(partKey(place, n))
    if (part === null) return null
    size += part.value.byteLength
    if (size > MOST_BYTES) return null
    found.push(part.value)
  }
  const bytes = Buffer.concat(found)
  return digest(bytes) === sha256 ? bytes : null
}
