/** Messages in chunks, put together without a broker: order, repeats, what is broken, and the bounds of memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble, MOST_INCOMPLETE, MOST_INCOMPLETE_BYTES, type Room } from './chunks.ts'
import type { Chunk, Entry } from './entry.ts'

let entries = 0

/** One chunk in an entry of its own. */
function chunk(message: string, index: number, count: number, text: string, total = count * text.length): Chunk {
  const entryId = entries++
  const entry: Entry = {
    id: `1:${entryId}`,
    messageIds: [{ ledgerId: 1, entryId }],
    bytes: text.length,
    permits: 1,
    messages: null,
  }
  return {
    message,
    index,
    count,
    total,
    payload: Buffer.from(text),
    entry,
    whole: (body) => ({ ...entry, messages: [{ index: 0, key: '', publishTime: 0, body }] }),
  }
}
const textOf = (entry: Entry | null) => entry?.messages?.map(({ body }) => Buffer.from(body).toString()).join()
const idsOf = (entry: Entry | null) => entry?.messageIds.map(({ entryId }) => entryId)
const assembly = (room: Room = { messages: 0, bytes: 0 }) => ({ room, ...assemble(room) })

test('chunks of several messages among each other, in any order: each is whole under the id of its last chunk', () => {
  const { add, room } = assembly()
  const [a0, a1, a2] = ['x', 'y', 'z'].map((text, i) => chunk('a', i, 3, text)) as [Chunk, Chunk, Chunk]
  const [b0, b1] = ['p', 'q'].map((text, i) => chunk('b', i, 2, text)) as [Chunk, Chunk]
  assert.equal(add(a0), null)
  assert.equal(add(b1), null)
  assert.equal(add(a1), null)
  const b = add(b0)
  assert.equal(textOf(b), 'pq')
  assert.equal(b?.id, b1.entry.id)
  assert.deepEqual(idsOf(b)!.sort(), [...idsOf(b0.entry)!, ...idsOf(b1.entry)!].sort())
  const a = add(a2)
  assert.equal(textOf(a), 'xyz')
  assert.equal(a?.id, a2.entry.id)
  assert.equal(a?.permits, 1)
  assert.deepEqual(room, { messages: 0, bytes: 0 })
})

test('a chunk that its producer sends again is acknowledged with the message; after it, at once and without an event', () => {
  const { add } = assembly()
  const all = [chunk('a', 0, 2, 'x'), chunk('a', 0, 2, 'x'), chunk('a', 1, 2, 'y')]
  const whole = all.map(add).at(-1)!
  assert.equal(textOf(whole), 'xy')
  assert.deepEqual(
    idsOf(whole),
    all.flatMap(({ entry }) => idsOf(entry)!),
  )
  const again = chunk('a', 1, 2, 'y')
  assert.deepEqual(add(again), { ...again.entry, messages: [] })
})

test('what is broken becomes no message, and all of it is acknowledged', () => {
  for (const [chunks, words] of [
    [[chunk('a', 0, 2, 'x', 3), chunk('a', 1, 2, 'y', 3)], /2 bytes, not 3/],
    [[chunk('a', 0, 3, 'xx', 3), chunk('a', 1, 3, 'yy', 3)], /4 bytes, not 3/],
    [[chunk('a', 2, 2, 'x')], /chunk 2 of 2/],
    [[chunk('a', -1, 2, 'x')], /chunk -1 of 2/],
    [[chunk('a', 0, 2, 'x', MOST_INCOMPLETE_BYTES)], /are too many/],
    [[chunk('a', 0, 2 ** 31 - 1, 'x', 1)], /are too many/],
    [[chunk('a', 0, 2, 'x', -1)], /are too many/],
  ] as const) {
    const { add, room } = assembly()
    const given = chunks.map(add).at(-1)!
    assert.equal(given.messages, null)
    assert.match(String(given.reason), words)
    assert.deepEqual(
      idsOf(given),
      chunks.flatMap(({ entry }) => idsOf(entry)!),
    )
    assert.deepEqual(room, { messages: 0, bytes: 0 })
  }
})

test('what stays incomplete is given up after a minute without a further chunk, never before', () => {
  const { add, look, room } = assembly()
  add(chunk('a', 0, 3, 'x'))
  for (let i = 0; i < 6; i++) assert.deepEqual(look(), [])
  add(chunk('a', 1, 3, 'y'))
  for (let i = 0; i < 6; i++) assert.deepEqual(look(), [])
  const [given, ...others] = look()
  assert.deepEqual(others, [])
  assert.match(String(given!.reason), /1 of its 3 chunks do not come/)
  assert.equal(given!.messageIds.length, 2)
  assert.equal(given!.permits, 0)
  assert.deepEqual(room, { messages: 0, bytes: 0 })
  // What comes of it later is acknowledged: it can never be whole.
  assert.deepEqual(add(chunk('a', 2, 3, 'z'))?.messages, [])
})

test('with no room left the first go on, and the others stay with the broker until half of the room is free', () => {
  const { add, crowded, room } = assembly()
  for (let i = 0; i < MOST_INCOMPLETE; i++) assert.equal(add(chunk(`m${i}`, 0, 2, 'x')), null)
  assert.equal(crowded(), false)
  assert.equal(add(chunk('late', 0, 2, 'x')), null)
  for (let i = 0; i < MOST_INCOMPLETE / 2; i++) {
    assert.equal(crowded(), false)
    assert.equal(textOf(add(chunk(`m${i}`, 1, 2, 'y'))), 'xy')
    // Its beginning is not here: room or not, it must not be begun in its middle.
    assert.equal(add(chunk('late', 1, 2, 'y')), null)
  }
  assert.equal(crowded(), true)
  assert.equal(room.messages, MOST_INCOMPLETE / 2)
})

test('bytes bound it too, over all partitions; who waits is not forgotten when the room stays full', () => {
  const room: Room = { messages: 0, bytes: 0 }
  const [one, other] = [assembly(room), assembly(room)]
  assert.equal(one.add(chunk('a', 0, 2, 'x', MOST_INCOMPLETE_BYTES - 10_000)), null)
  assert.equal(other.add(chunk('b', 0, 2, 'x', 20_000)), null)
  assert.equal(room.messages, 1)
  for (let i = 0; i < 6; i++) other.look()
  assert.equal(other.crowded(), false)
  other.look()
  assert.equal(other.crowded(), true)
})
