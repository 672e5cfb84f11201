/** Bytes beside the log, in the bucket: cut into parts that fit a message, and known by their digest. */
import { createHash } from 'node:crypto'
import type { NatsKv } from '../../clients/nats-kv.ts'

/** What it takes to read them again, beside where they lie. */
export interface Parts {
  parts: number
  sha256: string
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export const partKey = (place: string, n: number): string => `${place}.${n}`

/** Writes over what is at `place`. @throws VALUE_TOO_LARGE, BUS_UNAVAILABLE, BUS_FULL, OUTCOME_UNKNOWN */
export async function saveParts(kv: NatsKv, place: string, bytes: Uint8Array, partBytes: number): Promise<Parts> {
  const parts = Math.ceil(bytes.byteLength / partBytes)
  for (let n = 0; n < parts; n++) {
    await kv.put(partKey(place, n), bytes.subarray(n * partBytes, (n + 1) * partBytes))
  }
  return { parts, sha256: digest(bytes) }
}

/** @returns null when they are gone, or others lie there. @throws BUS_UNAVAILABLE */
export async function loadParts(kv: NatsKv, place: string, { parts, sha256 }: Parts): Promise<Buffer | null> {
  const found: Uint8Array[] = []
  for (let n = 0; n < parts; n++) {
    const part = await kv.get(partKey(place, n))
    if (part === null) return null
    found.push(part.value)
  }
  const bytes = Buffer.concat(found)
  return digest(bytes) === sha256 ? bytes : null
}
