import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EntryReport, ReplicaReport } from '../runtime/report.ts'
import { notReadyBecause, type PodState } from './readiness.ts'

const entry = (name: string, more: Partial<EntryReport>) =>
  ({ type: 'webhook', name, serving: true, error: null, ...more }) as EntryReport

const state = (report: Partial<ReplicaReport> | null, more: Partial<PodState> = {}): PodState => ({
  report:
    report === null
      ? null
      : ({ state: 'standby', leader: null, lockError: null, entries: [], ...report } as ReplicaReport),
  bus: { connected: true },
  listening: new Set(['order']),
  stopping: false,
  ...more,
})

test('a standby is ready once it knows who leads', () => {
  assert.deepEqual(notReadyBecause(state({ state: 'standby' })), [])
  assert.match(notReadyBecause(state({ state: 'starting' })).join(), /lease/)
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
    'starting: the lease has not been read yet',
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

test('who stops says only that', () => {
  const bus = { connected: false, error: 'closed' } as const
  assert.equal(notReadyBecause(state(null, { bus, stopping: true })).length, 1)
})
