import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBuffer, type Buffer as Held } from './buffer.ts'

const limits = { keepMs: 1_000, maxBytes: 10_000, aheadMs: 100 }
const data = (text: string) => Buffer.from(text)
/** What is left, in order. */
function left(buffer: Held): string[] {
  const found: string[] = []
  for (let one = buffer.from(0); one !== null; one = buffer.from(one.n + 1)) found.push(one.data.toString())
  return found
}

test('an event on the log takes the oldest message of its key, and no other', () => {
  const buffer = createBuffer(limits)
  for (const [key, text] of [
    ['a', 'a1'],
    ['b', 'b1'],
    ['a', 'a2'],
  ] as const)
    buffer.hear([key], data(text), 0)
  buffer.logged('a', 1)
  assert.deepEqual(left(buffer), ['b1', 'a2'])
  buffer.logged('a', 2)
  assert.deepEqual(left(buffer), ['b1'])
})

test('the log may be ahead of the ear for a moment, once for each event', () => {
  const buffer = createBuffer(limits)
  buffer.logged('a', 0)
  assert.equal(buffer.hear(['a'], data('late'), 50), null)
  assert.notEqual(buffer.hear(['a'], data('another'), 51), null)
  buffer.logged('b', 100)
  assert.notEqual(buffer.hear(['b'], data('much later'), 201), null)
  assert.deepEqual(left(buffer), ['another', 'much later'])
})

test('what is old goes, in order; what is young stays', () => {
  const buffer = createBuffer(limits)
  buffer.hear(['a'], data('old'), 0)
  buffer.hear(['a'], data('young'), 900)
  buffer.expire(1_001)
  assert.deepEqual(left(buffer), ['young'])
  buffer.logged('a', 1_002)
  assert.equal(buffer.size, 0)
})

test('memory is bounded: the oldest go, and are counted; empty messages count too', () => {
  const buffer = createBuffer(limits)
  for (let i = 0; i < 1_000; i++) buffer.hear([`k${i}`], data(''), i)
  assert.ok(buffer.size < 50, `${buffer.size}`)
  assert.equal(buffer.overflowed, 1_000 - buffer.size)
  assert.equal(
    buffer.hear(['huge'], Buffer.alloc(1_000_000), 0)?.keys[0],
    'huge',
    'a single one larger than all is kept',
  )
  assert.equal(buffer.size, 1)
})

test('events of messages that never come are forgotten, however many', () => {
  const buffer = createBuffer(limits)
  for (let i = 0; i < 60_000; i++) buffer.logged(`k${i}`, 0)
  assert.notEqual(buffer.hear(['k0'], data('the first is forgotten'), 1), null)
  assert.equal(buffer.hear(['k59999'], data('the last is not'), 1), null)
  buffer.expire(200)
  assert.notEqual(buffer.hear(['k59998'], data('late'), 200), null)
})

test('settled twice is settled once', () => {
  const buffer = createBuffer(limits)
  const one = buffer.hear(['a'], data('1'), 0)!
  buffer.hear(['a'], data('2'), 0)
  buffer.settle(one)
  buffer.settle(one)
  assert.deepEqual(left(buffer), ['2'])
})

test('a message of two keys is taken by an event of either, once, also by one that was there before it', () => {
  const buffer = createBuffer(limits)
  for (const n of [1, 2, 3]) buffer.hear([`id:${n}`, 'same'], data(`${n}`), 0)
  buffer.logged('id:2', 1)
  buffer.logged('same', 2)
  assert.deepEqual(left(buffer), ['3'])
  buffer.logged('same', 3)
  assert.equal(buffer.size, 0)
  buffer.logged('same', 4)
  assert.equal(buffer.hear(['id:4', 'same'], data('late'), 5), null)
  assert.notEqual(buffer.hear(['id:5', 'same'], data('another'), 6), null)
})
