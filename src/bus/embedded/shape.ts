/** Whether a request from the wire has the shape its operation needs: what is wrong must be found before the transaction. */
import type { Operation } from './request.ts'

type Check = (value: unknown) => boolean

const text: Check = (value) => typeof value === 'string' && value.length <= 4096
const bytes: Check = (value) => value instanceof Uint8Array
const count: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const flag: Check = (value) => typeof value === 'boolean'
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value)
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const object =
  (members: Record<string, Check>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(members).every(([name, check]) => check((value as Record<string, unknown>)[name]))

const source = object({ namespace: text, name: text })
const fence = object({ source, term: count, nonce: text })
const append = object({ entry: text, id: text, event: bytes, sourceId: optional(text) })
const advance = object({ entry: text })
const member: Check = (value) =>
  typeof value === 'object' && value !== null && 'event' in value ? append(value) : advance(value)
const lease = object({ holder: text, durationMs: count, term: count, released: flag, successor: optional(text) })

const shapes: Record<Operation, Check> = {
  append: object({ source, batch: list(append) }),
  appendFenced: object({ fence, batch: list(member) }),
  claim: object({ source, claim: object({ holder: text, nonce: text, floor: count }) }),
  writeLease: object({ name: text, record: lease, expected: optional(text) }),
  put: object({ key: text, value: bytes, expected: optional(count) }),
  delete: object({ key: text }),
  saveSnapshot: object({ fence, entry: text, bytes }),
  readLease: object({ name: text }),
  get: object({ key: text }),
  loadSnapshot: object({ source, entry: text }),
  tail: object({ source, entry: text, limit: count }),
  page: object({ from: count, namespace: optional(text), eventSource: optional(text), entry: optional(text) }),
  state: object({}),
  ping: object({}),
}

export function hasShape(operation: Operation, input: unknown): boolean {
  return shapes[operation](input)
}
