/** What is drawn: the same for a seed, everything in the long run, and nothing that could not be judged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { draw, together } from './draw.ts'
import { KINDS } from './kinds.ts'
import { BUSES, endOf } from './plan.ts'
import { TRAITS } from './traits.ts'

const plans = Array.from({ length: 1_000 }, (_, seed) => draw(seed + 1))

test('a seed gives one plan, another seed another one', () => {
  assert.deepEqual(draw(4711), draw(4711))
  assert.equal(new Set(plans.map((plan) => JSON.stringify({ ...plan, seed: 0 }))).size, plans.length)
})

test('a plan survives being written to a file', () => {
  for (const plan of plans) assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan)
})

test('over a thousand seeds every bus, number of replicas, origin and kind of fault is drawn', () => {
  const drawn = (of: (plan: (typeof plans)[number]) => unknown[]) => new Set(plans.flatMap(of))
  assert.deepEqual([...drawn(({ bus }) => [bus])].sort(), [...BUSES].sort())
  assert.deepEqual([...drawn(({ replicas }) => [replicas])].sort(), [2, 3, 4, 5])
  assert.deepEqual([...drawn(({ origins }) => origins)].sort(), Object.keys(TRAITS).sort())
  assert.deepEqual([...drawn(({ faults }) => faults.map(({ kind }) => kind))].sort(), Object.keys(KINDS).sort())
  assert.deepEqual([...drawn(({ together }) => [together])].sort(), [false, true])
})

test('faults overlap in most plans', () => {
  const overlapping = plans.filter(({ faults }) =>
    faults.some((a, i) => faults.slice(i + 1).some((b) => b.atMs <= endOf(a))),
  )
  assert.ok(overlapping.length > plans.length * 0.6, `${overlapping.length} of ${plans.length}`)
})

test('every fault is over within the load, can happen where it is, and shares nothing with another that holds the same', () => {
  for (const { bus, origins, loadMs, faults } of plans) {
    assert.ok(faults.length >= 1)
    for (const [i, fault] of faults.entries()) {
      assert.ok(endOf(fault) <= loadMs)
      for (const other of faults.slice(i + 1)) assert.ok(together(fault, other), JSON.stringify([fault, other]))
      if (fault.kind.includes('stream')) assert.ok(bus.startsWith('jetstream'))
      if (fault.kind === 'fill the disk') assert.equal(bus, 'embedded')
      if (fault.kind.includes('the origin')) assert.ok(origins[fault.index!] !== undefined)
      if (fault.kind === 'kill the origin') assert.ok(TRAITS[origins[fault.index!]!]!.can.includes('kill'))
    }
  }
})

test('only what is wanted is drawn', () => {
  const wanted = { buses: ['kafka-1'], origins: ['nsq', 'file'] } as const
  for (let seed = 0; seed < 50; seed++) {
    const { bus, origins } = draw(seed, wanted)
    assert.equal(bus, 'kafka-1')
    for (const origin of origins) assert.ok(origin === 'nsq' || origin === 'file')
  }
})
