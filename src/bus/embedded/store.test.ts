/** The store by itself: retention, the window of ids, the commit of groups. Whole processes: test/contract/bus-embedded-*.test.ts. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { isVedetteError } from '../../core/errors.ts'
import { silentLogger } from '../../core/log.ts'
import { createCommitter } from './committer.ts'
import { decodeValue } from './encoding.ts'
import { finish, readPage, readState } from './reading.ts'
import type { WireError } from './request.ts'
import { append } from './rules.ts'
import { openStore, type Store } from './store.ts'

const SOURCE = { namespace: 'default', name: 's' }
const HOUR = 3_600_000
const event = (id: string, bytes = 100) => ({ entry: 'e', id, event: Buffer.alloc(bytes, 'x') })

suite('embedded store', { timeout: 60_000 }, () => {
  let dir: string
  let store: Store
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'vstore-'))
  })
  afterEach(async () => {
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  })

  const put = (nowMs: number, ...ids: string[]) =>
    store.transaction((tables) =>
      append(
        tables,
        { nowMs, incarnation: store.incarnation, dedupMs: 24 * HOUR },
        SOURCE,
        ids.map((id) => event(id)),
      ),
    )
  const tidy = (nowMs: number) => {
    while (store.tidy(nowMs));
  }
  const ids = () => readPage(store.committed, { from: 0 }).events.map(({ id }) => id)

  test('events go by age, ids stay for their window, counts and sequence go on', async () => {
    store = await openStore({ dir, incarnation: 'next', maxAgeMs: HOUR })
    put(0, 'a', 'b')
    put(HOUR, 'c')
    tidy(HOUR + 1)
    assert.deepEqual(ids(), ['c'])
    assert.deepEqual(put(23 * HOUR, 'a'), [0], 'gone from the log, not from memory')
    tidy(24.5 * HOUR)
    assert.deepEqual(ids(), [])
    const empty = finish(readState(store.committed))
    assert.deepEqual([empty.firstSeq, empty.lastSeq, empty.messages, empty.bytes], [0, 3, 0, 0])
    assert.equal(empty.entries[0]?.published, 3)
    assert.deepEqual([...store.committed.ids.scan()].length, 1, 'the ids whose window is over are forgotten')
    assert.deepEqual(put(25 * HOUR, 'a'), [4])
  })

  test('the oldest events go when all together weigh too much', async () => {
    store = await openStore({ dir, incarnation: 'next', maxBytes: 50_000 })
    for (let i = 0; i < 1000; i++) put(i, `n-${i}`)
    tidy(1000)
    const { firstSeq, lastSeq, messages, bytes } = finish(readState(store.committed))
    assert.ok(bytes <= 50_000 && bytes > 49_000, `${bytes}`)
    assert.equal(lastSeq, 1000)
    assert.equal(messages, lastSeq - firstSeq + 1)
    assert.equal(ids()[0], `n-${1000 - messages}`)
  })

  test('an id counts within its window also when the clock is set back', async () => {
    store = await openStore({ dir, incarnation: 'next' })
    put(100 * HOUR, 'a')
    assert.deepEqual(put(90 * HOUR, 'a'), [0])
    assert.deepEqual(put(125 * HOUR, 'a'), [2])
  })

  test('what throws within a transaction leaves nothing behind', async () => {
    store = await openStore({ dir, incarnation: 'next' })
    put(0, 'a')
    assert.throws(() =>
      store.transaction((tables) => {
        append(tables, { nowMs: 0, incarnation: 1, dedupMs: 1 }, SOURCE, [event('b')])
        throw new Error('no')
      }),
    )
    assert.deepEqual(put(0, 'c'), [2])
    assert.deepEqual(ids(), ['a', 'c'])
    assert.equal(finish(readState(store.committed)).messages, 2)
  })

  test('a store that another process has taken over cannot be written', async () => {
    store = await openStore({ dir, incarnation: 'next' })
    put(0, 'a')
    const second = await openStore({ dir, incarnation: 1 })
    assert.throws(
      () => put(0, 'b'),
      (error) => isVedetteError(error, 'FENCED'),
    )
    await second.close()
  })

  test('more than may wait is refused, what waits is done in one transaction', async () => {
    store = await openStore({ dir, incarnation: 'next' })
    const answers: (WireError | null)[] = []
    const committer = createCommitter({
      store,
      clock: systemClock,
      dedupMs: HOUR,
      log: silentLogger,
      onCommitted() {},
      onBroken: assert.fail,
    })
    const write = (id: string, bytes: number) =>
      committer.add({
        operation: 'append',
        input: { source: SOURCE, batch: [event(id)] },
        incarnation: 1,
        bytes,
        answer: (_, error) => answers.push(error),
      })
    assert.equal(write('a', 100), true)
    assert.equal(write('b', 64 << 20), false)
    assert.equal(write('c', 1 << 20), true)
    assert.deepEqual(answers, [])
    committer.flush()
    assert.deepEqual(answers, [null, null])
    assert.equal(write('d', 63 << 20), true, 'there is room again')
    committer.flush()
    assert.deepEqual(ids(), ['a', 'c', 'd'])
  })

  test('a damaged value is refused to who needs it, and harms nobody else', async () => {
    store = await openStore({ dir, incarnation: 'next' })
    const answers: Record<string, string> = {}
    const committer = createCommitter({
      store: {
        ...store,
        transaction: (work) => store.transaction((tables) => work({ ...tables, terms: damaged(tables.terms) })),
      },
      clock: systemClock,
      dedupMs: HOUR,
      log: silentLogger,
      onCommitted() {},
      onBroken: assert.fail,
    })
    const add = (id: string, operation: 'append' | 'appendFenced', input: unknown) =>
      committer.add({
        operation,
        input,
        incarnation: 1,
        bytes: 1,
        answer(_, error) {
          answers[id] = error?.code ?? 'ok'
        },
      })
    add('a', 'append', { source: SOURCE, batch: [event('a')] })
    add('b', 'appendFenced', { fence: { source: SOURCE, term: 1, nonce: 'n' }, batch: [event('b')] })
    add('c', 'append', { source: SOURCE, batch: [event('c')] })
    committer.flush()
    assert.deepEqual(answers, { a: 'ok', b: 'STORE_CORRUPT', c: 'ok' })
    assert.deepEqual(ids(), ['a', 'c'])
  })
})

/** As lmdb.ts does when a checksum is wrong. */
function damaged<T extends object>(table: T): T & { get: () => never } {
  return {
    ...table,
    get() {
      throw corruptError()
    },
  }
}

function corruptError() {
  try {
    decodeValue('terms', 'default/s', Buffer.alloc(20))
  } catch (error) {
    return error
  }
  throw new Error('garbage was taken for a value')
}
