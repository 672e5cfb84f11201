/** S4: one route that anybody may send to cannot silence the others. Each attack goes on while honest senders send beside it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Plan, repeat } from './listener/repeat.ts'
import { run, slowBus } from './listener/target.ts'

const PLANS: (Plan | Plan[])[] = [
  { kind: 'a byte of body' },
  { kind: 'nearly whole bodies' },
  { kind: 'pipelining' },
  { kind: 'idle connections' },
  { kind: 'slow heads' },
  { kind: 'large heads' },
  { kind: 'tiny chunks' },
  { kind: 'answers that nobody reads' },
  { kind: 'a byte of body', manyAddresses: true },
  { kind: 'a byte of body', manyAddresses: true, path: '/github' },
  { kind: 'slow bodies', full: true },
  { kind: 'nearly whole bodies', manyAddresses: true, full: true },
  { kind: 'idle connections', manyAddresses: true, full: true },
  { kind: 'bodies that never follow', full: true },
  { kind: 'upgrades', full: true },
  { kind: 'silence', full: true },
  { kind: 'forged signatures', path: '/github', full: true },
  [
    { kind: 'a byte of body', sockets: 600 },
    { kind: 'nearly whole bodies', sockets: 40 },
    { kind: 'pipelining', sockets: 2 },
    { kind: 'idle connections', sockets: 1500, manyAddresses: true },
    { kind: 'slow heads', sockets: 600 },
    { kind: 'large heads', sockets: 600 },
    { kind: 'tiny chunks', sockets: 4 },
    { kind: 'answers that nobody reads', sockets: 10 },
    { kind: 'bodies that never follow', sockets: 300 },
    { kind: 'upgrades', sockets: 200 },
    { kind: 'silence', sockets: 1000 },
    { kind: 'forged signatures', sockets: 50, path: '/github' },
  ],
]

const SLOW_PLANS: Plan[] = [
  { kind: 'requests at work' },
  { kind: 'whole bodies at work' },
  { kind: 'requests at work', manyAddresses: true, full: true },
]

test('the machine allows enough open files for these attacks', () => {
  const limit = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  assert.ok(Number(limit) >= 10_000, `ulimit -n is ${limit}`)
})
repeat('a run', run, PLANS)
repeat('a slow bus', () => slowBus(), SLOW_PLANS)
