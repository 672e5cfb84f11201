/** Snapshots beside the log: cut into parts that fit a message, with a head that names them; the head is written last. */
import { createHash } from 'node:crypto'
import type { NatsKv } from '../../clients/nats-kv.ts'
import { fail } from '../../core/errors.ts'
import type { SourceRef } from '../bus.ts'
import type { JetStreamFence } from './fence.ts'

interface Head {
  term: number
  /** Parts are at `<key>/<slot>/<n>`. */
  slot: string
  parts: number
  sha256: string
}

export const MAX_SNAPSHOT_BYTES = 24 << 20

/**
 * A save never writes over the parts that a reader may be reading, nor over those of a neighbouring term. The slots are few,
 * since the bucket keeps a mark of every key there ever was.
 */
const slotOf = (term: number, old: Head | null): string => {
  const slot = `${term % 8}a`
  return old?.slot === slot ? `${term % 8}b` : slot
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const keyOf = ({ namespace, name }: SourceRef, entry: string) => `snapshot/${namespace}/${name}/${entry}`

/** @throws BUS_UNAVAILABLE */
export async function loadSnapshot(kv: NatsKv, source: SourceRef, entry: string): Promise<Uint8Array | null> {
  const key = keyOf(source, entry)
  // A save that ends meanwhile removes the parts of the one before it: then the new one is read.
  for (let tries = 0; tries < 3; tries++) {
    const head = headOf(await kv.get(key))
    if (head === null) return null
    const parts: Uint8Array[] = []
    for (let i = 0; i < head.parts; i++) {
      const part = await kv.get(`${key}/${head.slot}/${i}`)
      if (part === null) break
      parts.push(part.value)
    }
    const bytes = Buffer.concat(parts)
    if (parts.length === head.parts && digest(bytes) === head.sha256) return bytes
  }
  return null
}

/** @throws FENCED from an older term; EVENT_TOO_LARGE, BUS_UNAVAILABLE, BUS_FULL, OUTCOME_UNKNOWN */
export async function saveSnapshot(
  kv: NatsKv,
  fence: JetStreamFence,
  entry: string,
  bytes: Uint8Array,
  partBytes: number,
): Promise<void> {
  if (bytes.byteLength > MAX_SNAPSHOT_BYTES) {
    throw fail(
      'EVENT_TOO_LARGE',
      `the snapshot of ${entry} has ${bytes.byteLength} bytes, more than ${MAX_SNAPSHOT_BYTES}`,
    )
  }
  const key = keyOf(fence.source, entry)
  const before = await kv.get(key)
  const old = headOf(before)
  await fence.check()
  if (old !== null && old.term > fence.term) throw superseded(fence, entry)
  const head: Head = {
    term: fence.term,
    slot: slotOf(fence.term, old),
    parts: Math.ceil(bytes.byteLength / partBytes),
    sha256: digest(bytes),
  }
  for (let i = 0; i < head.parts; i++) {
    await kv.put(`${key}/${head.slot}/${i}`, bytes.subarray(i * partBytes, (i + 1) * partBytes))
  }
  const written = await kv.put(key, Buffer.from(JSON.stringify(head)), before?.revision ?? 0)
  if (written === null) throw superseded(fence, entry)
  for (let i = 0; i < (old?.parts ?? 0); i++) await kv.delete(`${key}/${old!.slot}/${i}`)
}

function headOf(found: { value: Uint8Array } | null): Head | null {
  if (found === null) return null
  try {
    return JSON.parse(Buffer.from(found.value).toString()) as Head
  } catch {
    return null
  }
}

const superseded = ({ term }: JetStreamFence, entry: string) =>
  fail('FENCED', `a newer term than ${term} has written the snapshot of ${entry}`)
