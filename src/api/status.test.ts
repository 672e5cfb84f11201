import assert from 'node:assert/strict'
import test from 'node:test'
import type { EventSource } from '../manifest/manifest.ts'
import type { EntryReport, ReplicaReport } from '../runtime/report.ts'
import { foldSources, type HostView, leaderOf, type TypeFacts } from './status.ts'

const facts: TypeFacts = (type) =>
  type === 'webhook'
    ? { strategy: 'active-active', guarantee: 'exactly-once' }
    : type === 'calendar'
      ? { strategy: 'active-passive', guarantee: 'exactly-once' }
      : undefined
const place = { file: 'x.yaml', line: 1, column: 1 }
const source: EventSource = {
  namespace: 'default',
  name: 's',
  labels: {},
  annotations: {},
  replicas: 2,
  eventBusName: 'default',
  spec: {},
  place,
  entries: [
    { type: 'webhook', name: 'hook', spec: {}, place },
    { type: 'calendar', name: 'tick', spec: {}, place },
  ],
}

function entry(type: string, name: string, change: Partial<EntryReport> = {}): EntryReport {
  return {
    type,
    name,
    serving: true,
    published: 0,
    duplicates: 0,
    filtered: 0,
    filterErrors: 0,
    failed: 0,
    skipped: 0,
    lastEventMs: null,
    error: null,
    errorSinceMs: null,
    ...change,
  }
}

function host(index: number, change: Partial<ReplicaReport> = {}, life: Partial<HostView> = {}): HostView {
  const report: ReplicaReport = {
    namespace: 'default',
    eventSource: 's',
    id: `s-${index}`,
    state: 'serving',
    leader: 's-0',
    term: 3,
    entries: [entry('webhook', 'hook'), entry('calendar', 'tick', { serving: index === 0 })],
    fencing: 'strict',
    busError: null,
    lockError: null,
    ...change,
  }
  return { index, pid: 100 + index, restarts: 0, silentMs: 10, reports: new Map([['default/s', report]]), ...life }
}

test('the leader is the holder of the highest term', () => {
  assert.deepEqual(leaderOf([host(0), host(1)], 'default/s'), { leader: 's-0', term: 3 })
  // a frozen leader still believes in itself; the newer term knows better
  assert.deepEqual(leaderOf([host(0), host(1, { leader: 's-1', term: 4 })], 'default/s'), { leader: 's-1', term: 4 })
})

test('nobody leads when the leader is dead or has stepped down, whatever the others still believe', () => {
  assert.equal(leaderOf([host(0, {}, { pid: null }), host(1)], 'default/s').leader, null)
  assert.equal(leaderOf([host(0, { leader: null }), host(1)], 'default/s').leader, null)
})

test('only active-passive entries have a leader and a term; published is what the bus counted', () => {
  const log = {
    firstSeq: 1,
    lastSeq: 9,
    messages: 9,
    bytes: 1,
    entries: [{ namespace: 'default', eventSource: 's', entry: 'hook', published: 7, lastMs: Date.UTC(2026, 0, 2) }],
  }
  const [folded] = foldSources([source], { hosts: [host(0), host(1)], log, facts })
  const [hook, tick] = folded!.entries
  assert.deepEqual(
    [hook!.leader, hook!.term, hook!.published, hook!.lastEventAt],
    [null, null, 7, '2026-01-02T00:00:00Z'],
  )
  assert.deepEqual([tick!.leader, tick!.term, tick!.published, tick!.lastEventAt], ['s-0', 3, 0, null])
})

test('an entry shows why it was refused, else what its leader says', () => {
  const refused = { ...source, entries: [{ ...source.entries[0]!, refused: 'cannot work' }, source.entries[1]!] }
  const hosts = [
    host(0, { entries: [entry('calendar', 'tick', { error: 'no zone', errorSinceMs: 0 })] }),
    host(1, { entries: [entry('calendar', 'tick', { error: 'standby says', errorSinceMs: -1 })] }),
  ]
  const [folded] = foldSources([refused], { hosts, log: null, facts })
  assert.deepEqual(
    folded!.entries.map(({ error }) => error),
    ['cannot work', 'no zone'],
  )
})

test('a replica whose host is down has no pid; one that is silent for long says so', () => {
  const [folded] = foldSources([source], {
    hosts: [host(0, {}, { pid: null, restarts: 2 }), host(1, {}, { silentMs: 9000 })],
    log: null,
    facts,
  })
  assert.deepEqual(folded!.replicas, [
    { id: 's-0', pid: null, state: 'down', restarts: 2 },
    { id: 's-1', pid: 101, state: 'serving', restarts: 0, silentMs: 9000 },
  ])
})

test('an entry is served by as many replicas as say so, not by as many as live', () => {
  const deaf = [entry('webhook', 'hook', { serving: false }), entry('calendar', 'tick')]
  const serving = (...hosts: HostView[]) =>
    foldSources([source], { hosts, log: null, facts })[0]!.entries.map((one) => one.serving)
  assert.deepEqual(serving(host(0), host(1)), [2, 1])
  assert.deepEqual(serving(host(0, { entries: deaf }), host(1)), [1, 1])
  assert.deepEqual(serving(host(0), host(1, {}, { silentMs: 9000 })), [1, 1], 'who is silent is not believed')
  assert.deepEqual(serving(host(0, {}, { pid: null }), host(1)), [1, 0])
})
