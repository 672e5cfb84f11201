import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import type { KubeObject } from '../kube/resources.ts'
import { HASH_ANNOTATION } from './objects.ts'
import { createTurns, replacesPods } from './turns.ts'

const rolling = (generation: number, observedGeneration: number, ready = 1): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'orders', generation },
  spec: { replicas: 1 },
  status: { observedGeneration, replicas: 1, updatedReplicas: 1, readyReplicas: ready },
})

function setUp(atOnce: number) {
  const clock = fakeClock()
  const called: string[] = []
  return { clock, called, turns: createTurns({ clock, atOnce: () => atOnce, next: (key) => called.push(key) }) }
}

test('so many roll out at once, and the next when one is as it was applied, in the order in which they came', () => {
  const { turns, called } = setUp(2)
  const take = (key: string) => turns.of(key).take()
  assert.deepEqual(['a', 'b', 'c', 'd'].map(take), [true, true, false, false])
  assert.equal(turns.of('d').before, 1)
  const a = turns.of('a')
  a.look(rolling(2, 1))
  // A view from before it was applied.
  a.look(rolling(1, 1))
  a.look(rolling(2, 2, 0))
  assert.deepEqual(called, [])
  a.look(rolling(2, 2))
  assert.deepEqual(called, ['c'])
  assert.deepEqual([take('d'), take('a'), take('c')], [false, false, true], 'who comes late is behind')
  const b = turns.of('b')
  assert.equal(b.take(), true, 'it has it already')
})

test('who has nothing to roll out any more keeps nobody back', () => {
  const { turns, called } = setUp(1)
  for (const key of ['a', 'b', 'c']) turns.of(key).take()
  turns.of('b').end()
  assert.deepEqual(called, [])
  turns.of('a').look(rolling(1, 1))
  assert.deepEqual(called, ['c'])
  const c = turns.of('c')
  assert.equal(c.take(), true)
  c.end()
  assert.equal(turns.of('d').take(), false)
})

test('one that does not get ready keeps the others for two minutes', async () => {
  const { turns, clock } = setUp(1)
  const broken = turns.of('broken')
  assert.equal(broken.take(), true)
  broken.look(rolling(2, 2, 0))
  assert.equal(turns.of('a').take(), false)
  await clock.advance(121_000)
  assert.equal(turns.of('a').take(), true)
})

test('what is new, or only scaled, needs no turn', () => {
  const deployment = (replicas: number, hash: string): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'orders', annotations: { [HASH_ANNOTATION]: hash } },
    spec: { replicas },
  })
  assert.equal(replacesPods(undefined, deployment(2, 'x')), false)
  assert.equal(replacesPods(deployment(2, 'x'), deployment(2, 'x')), false)
  assert.equal(replacesPods(deployment(2, 'x'), deployment(3, 'y')), false)
  assert.equal(replacesPods(deployment(2, 'x'), deployment(2, 'y')), true)
})
