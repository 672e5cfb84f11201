/** Values of any size on a topic whose records have a limit: what is larger lies in parts beside its key, written in the same transaction. */
import { jsonIn } from '../../core/json-in.ts'
import type { Message } from './message.ts'
import { type Kept, stateMessage } from './state.ts'

const PART_BYTES = 500_000
const WHOLE = 0
const IN_PARTS = 1
/** More than the largest value needs. */
const MOST_PARTS = 1_000

const partKey = (key: string, part: number) => `${key}\0${part}`
export const isPart = (key: string): boolean => key.includes('\0')

export function valueMessages(topic: string, key: string, bytes: Buffer): Message[] {
  if (bytes.length <= PART_BYTES) return [stateMessage(topic, key, Buffer.concat([Buffer.of(WHOLE), bytes]))]
  const parts = Math.ceil(bytes.length / PART_BYTES)
  return [
    ...Array.from({ length: parts }, (_, i) =>
      stateMessage(topic, partKey(key, i), bytes.subarray(i * PART_BYTES, (i + 1) * PART_BYTES)),
    ),
    stateMessage(topic, key, Buffer.from(`${String.fromCharCode(IN_PARTS)}${parts}`)),
  ]
}

/** Null when there is none, or not all of it, or somebody else's. */
export function storedValue(kept: ReadonlyMap<string, Kept>, key: string): Buffer | null {
  const value = kept.get(key)?.value
  if (value === undefined) return null
  if (value[0] === WHOLE) return value.subarray(1)
  const count = partsIn(value)
  if (count === null) return null
  const parts = Array.from({ length: count }, (_, i) => kept.get(partKey(key, i))?.value)
  return parts.every((part) => part !== undefined) ? Buffer.concat(parts) : null
}

/** How many parts a value is in; null: it is whole, or none of ours. */
function partsIn(value: Buffer): number | null {
  const count = value[0] === IN_PARTS && value.length <= 5 ? Number(value.subarray(1).toString()) : 0
  return Number.isInteger(count) && count > 0 && count <= MOST_PARTS ? count : null
}

/** Whether a value that holds JSON is ours: what anybody else has written over one is passed over. */
export function holdsJson(value: Buffer): boolean {
  return value[0] === WHOLE ? jsonIn(value.subarray(1)) !== undefined : partsIn(value) !== null
}
