/** The page says what the runs said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pageOf } from './page.ts'
import { pages } from './pages.ts'
import type { Recorded } from './record.ts'

test('docs/campaign.md is made of docs/campaign.jsonl (else: npm run chaos -- --page docs/campaign.jsonl)', () => {
  const { written, made } = pages()
  assert.equal(written, made)
})

const run = (more: Partial<Recorded>): Recorded => ({
  ...{ seed: 1, commit: 'abc', date: '2026-11-30', bus: 'embedded', replicas: 3, together: false },
  ...{
    origins: ['nsq'],
    faults: ['kill a host', 'kill a host'],
    ticks: 1_000,
    acknowledged: 20,
    messages: 30,
    copies: 0,
  },
  ...{
    terms: 2,
    longestPauseMs: 5,
    backMs: { nsq: 700, webhook: 20 },
    largestMb: 150,
    startMs: 9_000,
    tookMs: 40_000,
    violations: [],
  },
  ...more,
})

test('runs, faults and what was judged are counted; what was not judged counts for nothing', () => {
  const page = pageOf([run({}), run({ seed: 2, bus: 'kafka-1' }), run({ seed: 3, broken: 'no broker' })])
  assert.match(page, /\*\*2 runs\*\* with 2 seeds: 4 faults,\n2,000 ticks, 40 acknowledged requests and 60 messages/)
  assert.match(page, /No run had a violation/)
  assert.match(page, /1 more could not be judged/)
  assert.match(page, /\| processes \| kill a host \| 4 \| 2 \|/)
  assert.match(page, /\| nsq \| exactly-once \| 2 \| 1 \| 0 \| 0 \| 1 \| 0 \| 0 \|/)
  assert.match(page, /\| embedded \| 1 \| 2 \| 1,000 \| 20 \| 30 \| 2 \| 700 \| 700 \| 700 \| 150 \| 0 \|/)
})

test('a violation stands on the page, with its cause or without', () => {
  const violations = ['nsq: nothing new within 30000 ms | really\nmore']
  const page = pageOf([run({ violations }), run({ seed: 2, violations, cause: 'V1, mended in def' })])
  assert.match(page, /2 runs had violations/)
  assert.match(
    page,
    /\| 1 \| abc \| embedded \| nsq \| nsq: nothing new within 30000 ms \\\| really \| not explained \|/,
  )
  assert.match(page, /V1, mended in def/)
})
