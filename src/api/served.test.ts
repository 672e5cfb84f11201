import assert from 'node:assert/strict'
import test from 'node:test'
import type { EventSource } from '../manifest/manifest.ts'
import type { EntryReport, ReplicaReport } from '../runtime/report.ts'
import { judgeServed, notServedLine, WAITED_MS } from './served.ts'
import type { HostView, TypeFacts } from './status.ts'

const facts: TypeFacts = (type) =>
  ({
    webhook: { strategy: 'active-active', guarantee: 'exactly-once', listens: () => [{}] } as const,
    sqs: { strategy: 'active-active', guarantee: 'at-least-once' } as const,
    calendar: { strategy: 'active-passive', guarantee: 'exactly-once' } as const,
  })[type]
const place = { file: 'x.yaml', line: 1, column: 1 }

const object = (type: string, change: Partial<EventSource> = {}, refused?: string): EventSource => ({
  ...{ namespace: 'default', name: 's', labels: {}, annotations: {}, replicas: 2 },
  ...{ eventBusName: 'default', spec: {}, place },
  entries: [{ type, name: 'e', spec: {}, place, ...(refused === undefined ? {} : { refused }) }],
  ...change,
})

/** One replica's words on its one entry; null: its host is down. */
type Words =
  | (Partial<EntryReport> & { leader?: string | null; silentMs?: number; lockError?: string; busError?: string })
  | null

function judge(source: EventSource, ...replicas: Words[]) {
  const hosts = replicas.map((words, index): HostView => {
    const { leader = 's-0', silentMs = 10, lockError = null, busError = null, ...entry } = words ?? {}
    const { type } = source.entries[0]!
    const report = {
      ...{ namespace: 'default', eventSource: 's', id: `s-${index}`, leader, term: 1, lockError, busError },
      entries: [{ type, name: 'e', serving: true, error: null, ...entry } as EntryReport],
    } as ReplicaReport
    return { index, pid: words === null ? null : 100, restarts: 0, silentMs, reports: new Map([['default/s', report]]) }
  })
  const { notServed, awaited } = judgeServed([source], hosts, facts)
  return {
    why: notServed[0]?.why ?? null,
    awaited: awaited.map(({ waitMs, why }) => `${nameOf(waitMs)}: ${why}`),
  }
}

const nameOf = (waitMs: number) => Object.entries(WAITED_MS).find(([, ms]) => ms === waitMs)![0]

const deaf: Words = { serving: false }
const taken: Words = { serving: false, error: 'port 80 is taken' }

test('a listener is served when one replica accepts; ready waits for all of them', () => {
  const source = object('webhook')
  assert.deepEqual(judge(source, {}, {}), { why: null, awaited: [] })
  assert.deepEqual(judge(source, {}, deaf), {
    why: null,
    awaited: ['slow: 1 of 2 replicas serve it: its port is being opened'],
  })
  assert.deepEqual(judge(source, {}), {
    why: null,
    awaited: ['slow: 1 of 2 replicas serve it: s-1 has not started yet'],
  })
  assert.deepEqual(judge(source, deaf, deaf), {
    why: 'its port is being opened',
    awaited: ['slow: its port is being opened'],
  })
})

test('a listener whose port is taken is not served, and waited for as long as patience lasts', () => {
  const { why, awaited } = judge(object('webhook'), taken, taken)
  assert.deepEqual([why, awaited], ['port 80 is taken', ['portTaken: port 80 is taken']])
  assert.deepEqual(judge(object('webhook'), taken, deaf).awaited, ['slow: port 80 is taken'])
})

test('an entry without a port that shows an error is not served, and not waited for', () => {
  const gone: Words = { serving: false, error: 'the queue is gone' }
  assert.deepEqual(judge(object('sqs'), gone, gone), { why: 'the queue is gone', awaited: [] })
  assert.deepEqual(judge(object('calendar'), gone, deaf), { why: 'the queue is gone', awaited: [] })
})

test('an active-passive entry is served when its leader serves it', () => {
  const source = object('calendar')
  assert.deepEqual(judge(source, {}, deaf), { why: null, awaited: [] })
  const nobody = { serving: false, leader: null }
  assert.equal(judge(source, nobody, nobody).why, 'nobody leads yet')
  assert.deepEqual(judge(source, nobody, nobody).awaited, ['slow: nobody leads yet'])
  assert.equal(judge(source, null, nobody).why, 's-0 has not started yet')
  assert.equal(judge(source, deaf, deaf).why, 's-0 leads, and has not begun to serve it yet')
  assert.match(judge(source, { silentMs: 4000 }, deaf).why!, /s-0 leads has said nothing for 4 s: .*frozen/)
})

test('that nobody could be elected yet is waited for, with its reason', () => {
  const lockError = 'no answer within 1000 ms'
  const late = { serving: false, leader: null, error: lockError, lockError }
  assert.deepEqual(judge(object('calendar'), late, late), { why: lockError, awaited: [`lockAway: ${lockError}`] })
  const standby = { serving: false, error: 'the broker is gone' }
  assert.deepEqual(judge(object('calendar'), deaf, standby).awaited, [
    'slow: s-0 leads, and has not begun to serve it yet',
  ])
})

test('while nobody reaches the bus, an entry that is to be led shows that; a replica that does can still be elected', () => {
  const cut = { serving: false, leader: null, busError: 'connection refused' }
  const why = 'the bus cannot be reached: connection refused'
  assert.deepEqual(judge(object('calendar'), cut, cut), { why, awaited: [`busAway: ${why}`] })
  assert.deepEqual(judge(object('calendar'), cut, { serving: false, leader: null }).awaited, ['slow: nobody leads yet'])
  assert.deepEqual(judge(object('calendar'), cut, null).awaited, ['slow: s-1 has not started yet'])
  assert.deepEqual(judge(object('calendar'), { ...cut, leader: 's-0' }, { serving: false }).awaited, [
    `busAway: ${why}`,
  ])
})

test('what can never work is not served and not waited for; what is scaled to nothing is not missed', () => {
  const refused = object('webhook', {}, 'no endpoint can match')
  assert.deepEqual(judge(refused, {}, {}), { why: 'no endpoint can match', awaited: [] })
  assert.deepEqual(judge(object('webhook', { replicas: 0 })), { why: null, awaited: [] })
})

test('a line has one line', () => {
  const one = { namespace: 'n', eventSource: 's', entry: 'e', type: 'webhook', why: 'a\n  b' }
  assert.equal(notServedLine(one), 'n/s/e (webhook): a; b')
})
