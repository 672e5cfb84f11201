import assert from 'node:assert/strict'
import test from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../../core/clock.ts'
import { memoryTables } from '../memory.ts'
import { finish, readPage, readState, readTail, retain } from './reading.ts'
import { append } from './rules.ts'
import { takeTurns } from './turns.ts'

const source = { namespace: 'default', name: 's' }

function tablesWith(events: number, bytes: number) {
  const tables = memoryTables()
  const event = Buffer.alloc(bytes)
  for (let i = 1; i <= events; i++) {
    append(tables, { nowMs: i, incarnation: 0, dedupMs: 1e9 }, source, [{ entry: 'e', id: `id-${i}`, event }])
  }
  return tables
}

test('a page counts what it looks at, and not only what is wanted', () => {
  const tables = tablesWith(20, 900_000)
  let [pages, next] = [0, 1]
  for (let end = false; !end; pages++) {
    const page = readPage(tables, { from: next, eventSource: 'another' })
    assert.deepEqual(page.events, [])
    assert.ok(page.next - next <= 1, `one step went from ${next} to ${page.next}`)
    ;({ next, end } = page)
  }
  assert.ok(pages >= 20)
  assert.equal(readPage(tablesWith(5000, 1), { from: 0, eventSource: 'another' }).end, false, 'small ones are counted')
})

test('the last events and the state come in steps, and whole', () => {
  const tables = tablesWith(20, 900_000)
  let steps = 0
  const tail = readTail(tables, source, 'e', 10)
  for (let one = tail.next(); one.done !== true; one = tail.next()) steps++
  assert.ok(steps >= 9, `${steps} steps for 9 MB`)
  assert.equal(finish(readTail(tables, source, 'e', 10)).length, 10)
  for (let i = 0; i < 1000; i++)
    tables.entries.put(`default/s/more-${i}`, { number: i, published: 1, lastMs: 0, lastSeq: 1 })
  const state = readState(tables)
  assert.equal(state.next().done, false)
  assert.equal(finish(readState(tables)).entries.length, 1001)
})

test('what is let go at once is bounded in bytes, too', () => {
  const tables = tablesWith(20, 900_000)
  const limits = { nowMs: 1e9, maxAgeMs: 1, maxBytes: 1, limit: 1000 }
  assert.equal(retain(tables, limits), true)
  assert.equal(tables.meta.get('messages'), 15)
  while (retain(tables, limits));
  assert.equal(tables.meta.get('messages'), 0)
})

test('clients take turns, a step each; what goes first goes before every step', async () => {
  const done: string[] = []
  const turns = takeTurns(systemClock, () => done.push('-'))
  const read = function* (name: string, steps: number) {
    for (let i = 1; i < steps; i++) {
      done.push(name)
      yield
    }
    done.push(`${name}.`)
  }
  const [a, b] = [{}, {}]
  turns.add(a, read('a', 2))
  turns.add(a, read('A', 1))
  turns.add(b, read('b', 2))
  while (!done.includes('A.')) await turn()
  assert.deepEqual(done.join(''), '-a-b-a.-b.-A.')
})

test('a client that does not take its answers is read for again when it does, one that has gone never', async () => {
  const done: string[] = []
  const turns = takeTurns(systemClock, () => {})
  const read = function* (name: string) {
    yield
    done.push(name)
  }
  const [a, b, c] = [{}, {}, {}]
  turns.hold(a)
  turns.add(a, read('a'))
  turns.add(b, read('b'))
  turns.add(c, read('c'))
  turns.forget(c)
  for (let i = 0; i < 9; i++) await turn()
  assert.deepEqual(done, ['b'])
  turns.resume(a)
  while (done.length < 2) await turn()
  assert.deepEqual(done, ['b', 'a'])
})
