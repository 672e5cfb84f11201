/**
 * Positions that do not fit the term record, since a message has at most `max_payload`: they lie in the bucket, and the record says
 * where. They are written first, then the record that names them; until that is stored nobody looks at them, and what the record
 * before named is untouched. So the record alone decides, and the fence holds for them as well.
 */
import { z } from 'zod'
import type { NatsKv } from '../../clients/nats-kv.ts'
import { jsonIn } from '../../core/json-in.ts'
import type { SourceRef } from '../bus.ts'
import { loadParts, saveParts } from './parts.ts'
import { type Beside, encodeRecord, type TermRecord } from './record.ts'

export interface RecordWriter {
  /** The record's bytes, its positions stored beside it if they do not fit. @throws as {@link saveParts} */
  encode(record: TermRecord): Promise<Buffer>
  /** What `encode` gave last is on the stream. */
  stored(): void
}

/** The key that those of an EventSource begin with. */
export const placeOf = ({ namespace, name }: SourceRef): string => `positions/${namespace}/${name}`

/** @param record the one that is on the stream, or is about to be claimed upon it; its term and nonce tell this writer's places from all others */
export function createRecordWriter(
  kv: NatsKv,
  source: SourceRef,
  { term, nonce, beside }: Pick<TermRecord, 'term' | 'nonce' | 'beside'>,
  maxBytes: () => number,
): RecordWriter {
  const slots = ['a', 'b'].map((which) => `${term}-${nonce.slice(0, 8)}-${which}`)
  let [current, next] = [beside?.slot, beside?.slot]
  return {
    async encode({ positions, beside: at, ...head }) {
      next = at?.slot
      const whole = encodeRecord({ ...head, positions, ...(at === undefined ? {} : { beside: at }) })
      if (whole.byteLength <= maxBytes()) return whole
      const slot = slots.find((one) => one !== current)!
      next = slot
      const place = `${placeOf(source)}.${slot}`
      const parts = await saveParts(kv, place, Buffer.from(JSON.stringify(positions)), maxBytes())
      return encodeRecord({ ...head, positions: {}, beside: { slot, ...parts } })
    },
    stored() {
      current = next
    },
  }
}

const positions = z.record(z.string(), z.unknown())

/** @returns null when they are gone, or others lie there. @throws BUS_UNAVAILABLE */
export async function loadBeside(
  kv: NatsKv,
  source: SourceRef,
  { slot, ...parts }: Beside,
): Promise<Record<string, unknown> | null> {
  const bytes = await loadParts(kv, `${placeOf(source)}.${slot}`, parts)
  return bytes === null ? null : (positions.safeParse(jsonIn(bytes)).data ?? null)
}

/** Removes what only records of older terms named. Best effort: what is left costs space, nothing else. */
export async function tidyBeside(kv: NatsKv, source: SourceRef, { term, beside }: TermRecord): Promise<void> {
  const old = (slot: string) => Number(slot.split('-', 1)[0]) < term && slot !== beside?.slot
  await kv.purge(placeOf(source), old).catch(() => {})
}
