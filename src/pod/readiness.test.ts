import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EntryReport, ReplicaReport } from '../runtime/report.ts'
import { notReadyBecause, notServedHere, type PodState } from './readiness.ts'

const entry = (name: string, more: Partial<EntryReport>) =>
  ({ type: 'webhook', name, serving: true, error: null, ...more }) as EntryReport

const state = (report: Partial<ReplicaReport> | null, more: Partial<PodState> = {}): PodState => ({
  report:
    report === null
      ? null
      : ({ state: 'standby', leader: null, lockError: null, entries: [], ...report } as ReplicaReport),
  bus: { connected: true },
  listening: new Set(['order']),
  refused: new Set(['odd']),
  stopping: false,
  ...more,
})

test('a standby is ready once it knows who leads', () => {
  assert.deepEqual(notReadyBecause(state({ state: 'standby' })), [])
  assert.match(notReadyBecause(state({ state: 'starting' })).join(), /not known yet/)
  assert.match(notReadyBecause(state(null)).join(), /starting/)
})

test('a standby that could not lead is not ready as long as nobody leads', () => {
  const lockError = 'could not update leases: forbidden'
  assert.deepEqual(notReadyBecause(state({ leader: null, lockError })), [
    `nobody leads, and this replica cannot: ${lockError}`,
  ])
  assert.deepEqual(notReadyBecause(state({ leader: 'orders-1', lockError })), [], 'while the API server is away, say')
  assert.deepEqual(notReadyBecause(state({ state: 'serving', leader: null, lockError })), [])
})

test('a bus that does not answer is named first', () => {
  const bus = { connected: false, error: 'cannot connect' } as const
  assert.deepEqual(notReadyBecause(state(null, { bus })), [
    'the bus does not answer: cannot connect',
    'starting: who serves is not known yet',
  ])
})

test('a port that is not open counts, an origin that fails does not', () => {
  const failing = entry('queue', { serving: false, error: 'the origin is gone' })
  assert.deepEqual(notReadyBecause(state({ entries: [entry('order', {}), failing] })), [])
  assert.deepEqual(
    notReadyBecause(state({ entries: [entry('order', { serving: false, error: 'port 80: not permitted' }), failing] })),
    ['order does not listen: port 80: not permitted'],
  )
})

test('an object of listeners alone has no lease to be waited for', () => {
  const entries = [entry('order', { serving: false, error: 'port 80 is taken (EADDRINUSE)' })]
  assert.deepEqual(notReadyBecause(state({ state: 'starting', entries })), [
    'order does not listen: port 80 is taken (EADDRINUSE)',
  ])
})

test('what nobody serves is said, and makes no Pod unready', () => {
  const told = (report: Partial<ReplicaReport>, entries: EntryReport[]) => {
    const now = state({ id: 'pod-a', ...report, entries })
    assert.deepEqual(notReadyBecause(now), [])
    return notServedHere(now)
  }
  const queue = (more: Partial<EntryReport>) => entry('queue', { type: 'amqp', serving: false, ...more })
  assert.deepEqual(told({ leader: 'pod-b' }, [queue({})]), [], 'another Pod serves it, or says why not')
  assert.deepEqual(told({ leader: null }, [queue({})]), ['queue (amqp): nobody leads now'])
  assert.deepEqual(told({ state: 'serving', leader: 'pod-a' }, [queue({ error: 'the broker is gone' })]), [
    'queue (amqp): the broker is gone',
  ])
  assert.deepEqual(told({ state: 'serving', leader: 'pod-a' }, [queue({ serving: true })]), [])
  const odd = entry('odd', { serving: false, error: 'cannot work' })
  assert.deepEqual(told({ leader: 'pod-b' }, [odd, entry('order', {})]), ['odd (webhook): cannot work'])
})

test('an object of which no entry can be served does not take the place of one that serves', () => {
  const odd = entry('odd', { serving: false, error: 'cannot work' })
  assert.deepEqual(notReadyBecause(state({ entries: [odd] })), ['none of its entries can be served'])
  assert.deepEqual(notReadyBecause(state({ entries: [odd, entry('order', {})] })), [])
})

test('who stops says only that', () => {
  const bus = { connected: false, error: 'closed' } as const
  assert.equal(notReadyBecause(state(null, { bus, stopping: true })).length, 1)
})
