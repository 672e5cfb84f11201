import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { capFor, mayHave, OF_ONE, overShare } from './fair.ts'

interface Item {
  entry: string
  peer: string
}
const items = (entry: string, peer: string, count: number): Item[] =>
  Array.from({ length: count }, () => ({ entry, peer }))
const levels = [({ entry }: Item) => entry, ({ peer }: Item) => peer]
const one = () => 1

test('whoever has the most gives, by entry and then by peer, and those in front first', () => {
  const attacked = [...items('open', 'a', 50), ...items('open', 'b', 5)]
  const all = [...items('github', 'c', 10), ...attacked]
  const gone = overShare(all, 40, levels, one)
  assert.deepEqual(gone, attacked.slice(0, 40))
})

test('many peers at one entry give before a few at another', () => {
  const many = Array.from({ length: 100 }, (_, i) => ({ entry: 'open', peer: `p${i}` }))
  const gone = overShare([...items('github', 'x', 20), ...many], 60, levels, one)
  assert.ok(gone.length >= 60)
  assert.ok(gone.every(({ entry }) => entry === 'open'))
})

test('enough goes, or all there is; nobody below the common size gives anything', () => {
  const size = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(size, fc.nat({ max: 500 }), (sizes, excess) => {
      const cap = capFor(sizes, excess)
      const freed = sizes.reduce((sum, one) => sum + Math.max(0, one - cap), 0)
      const total = sizes.reduce((sum, one) => sum + one, 0)
      assert.ok(Math.abs(freed - Math.min(excess, total)) < 1e-6, `${freed} of ${excess}`)
      const all = sizes.flatMap((count, i) => items(`${i}`, 'p', count))
      assert.ok(overShare(all, excess, levels, one).length >= Math.min(excess, total))
    }),
  )
})

test('shares bite only when little is left: one alone gets most, and always leaves room', () => {
  let used = 0
  while (mayHave({ capacity: 1000, used, entry: used, peer: used }, 1)) used++
  assert.ok(Math.abs(used - 1000 * OF_ONE) <= 2, `${used}`)
  // Who comes next is let in, to the same entry and to another one.
  assert.ok(mayHave({ capacity: 1000, used, entry: used, peer: 0 }, 1))
  assert.ok(mayHave({ capacity: 1000, used, entry: 0, peer: 0 }, 100))
})

test('alone, one gets what it needs', () => {
  assert.ok(mayHave({ capacity: 10, used: 0, entry: 0, peer: 0 }, 1000))
})
