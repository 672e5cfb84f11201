/** Snapshots beside the log: cut into parts that fit a message, with a head that names them; the head is written last. */
import { z } from 'zod'
import type { NatsKv } from '../../clients/nats-kv.ts'
import { fail } from '../../core/errors.ts'
import { jsonIn } from '../../core/json-in.ts'
import type { SourceRef } from '../bus.ts'
import type { JetStreamFence } from './fence.ts'
import { loadParts, partKey, parts, saveParts } from './parts.ts'

/** The parts are at `<key>/<slot>`. */
const head = z.object({ term: z.int(), slot: parts.slot, ...parts.shape })
type Head = z.infer<typeof head>

export const MAX_SNAPSHOT_BYTES = 24 << 20

/**
 * A save never writes over the parts that a reader may be reading, nor over those of a neighbouring term. The slots are few,
 * since the bucket keeps a mark of every key there ever was.
 */
const slotOf = (term: number, old: Head | null): string => {
  const slot = `${term % TURNS}a`
  return old?.slot === slot ? `${term % TURNS}b` : slot
}
const TURNS = 8
/** Every slot that there can be. */
export const snapshotSlots: readonly string[] = Array.from({ length: 2 * TURNS }, (_, i) => `${i >> 1}${'ab'[i % 2]}`)

/** Where its head lies. */
export const snapshotKey = ({ namespace, name }: SourceRef, entry: string) => `snapshot/${namespace}/${name}/${entry}`

/** @throws BUS_UNAVAILABLE */
export async function loadSnapshot(kv: NatsKv, source: SourceRef, entry: string): Promise<Uint8Array | null> {
  const key = snapshotKey(source, entry)
  // A save that ends meanwhile removes the parts of the one before it: then the new one is read.
  for (let tries = 0; tries < 3; tries++) {
    const head = headOf(await kv.get(key))
    if (head === null) return null
    const bytes = await loadParts(kv, `${key}/${head.slot}`, head)
    if (bytes !== null) return bytes
  }
  return null
}

/** @throws FENCED from an older term; VALUE_TOO_LARGE, BUS_UNAVAILABLE, BUS_FULL, OUTCOME_UNKNOWN */
export async function saveSnapshot(
  kv: NatsKv,
  fence: JetStreamFence,
  entry: string,
  bytes: Uint8Array,
  partBytes: number,
): Promise<void> {
  if (bytes.byteLength > MAX_SNAPSHOT_BYTES) {
    throw fail(
      'VALUE_TOO_LARGE',
      `the snapshot of ${entry} has ${bytes.byteLength} bytes, more than ${MAX_SNAPSHOT_BYTES}`,
    )
  }
  const key = snapshotKey(fence.source, entry)
  const before = await kv.get(key)
  const old = headOf(before)
  // Asked after the head was read: a newer term would have been there before it wrote one. The number in it proves nothing.
  await fence.check()
  const slot = slotOf(fence.term, old)
  const next: Head = { term: fence.term, slot, ...(await saveParts(kv, `${key}/${slot}`, bytes, partBytes)) }
  const written = await kv.put(key, Buffer.from(JSON.stringify(next)), before?.revision ?? 0)
  if (written === null) throw superseded(fence, entry)
  for (let i = 0; i < (old?.parts ?? 0); i++) {
    const part = partKey(`${key}/${old!.slot}`, i)
    if ((await kv.get(part)) === null) break
    await kv.delete(part)
  }
}

/** Null also for what is none of ours: it is written over. */
const headOf = (found: { value: Uint8Array } | null): Head | null =>
  found === null ? null : (head.safeParse(jsonIn(found.value)).data ?? null)

const superseded = ({ term }: JetStreamFence, entry: string) =>
  fail('FENCED', `a newer term than ${term} has written the snapshot of ${entry}`)
