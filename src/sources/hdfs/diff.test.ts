import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ops } from '../states/file-event.ts'
import { type Change, changesBetween, differences, type EntryState, inPortions, maskOf, type Tree } from './diff.ts'

const state = (fileId: number, more: { length?: number; mtimeMs?: number; mode?: string } = {}): EntryState => [
  fileId,
  more.length ?? 1,
  more.mtimeMs ?? 10,
  more.mode ?? '644',
]
const tree = (entries: Record<string, EntryState>): Tree => new Map(Object.entries(entries))
const told = (changes: Change[]) => changes.map(({ op, path }) => `${op} ${path}`)

const trees = fc
  .dictionary(
    fc.constantFrom('a', 'b', 'd/a', 'd/b', 'e/a', '__proto__', 'd', 'e'),
    fc.tuple(
      fc.integer({ min: 0, max: 5 }),
      fc.nat(2),
      fc.nat(3),
      fc.constantFrom('644', '600', 'd755'),
    ) as fc.Arbitrary<EntryState>,
    { noNullPrototype: true },
  )
  .map(tree)

test('kinds as text and as bits; unknown parts count nothing', () => {
  assert.deepEqual(
    ['CREATE', 'CREATE|WRITE', 'REMOVE|RENAME|CHMOD', 'create', 'X', 'X|CHMOD', '', 'toString'].map(maskOf),
    [1, 3, 28, 0, 0, 16, 0, 0],
  )
})

test('a number of the entry that one server says and another does not is no change, but is remembered', () => {
  const [without, numbered] = [tree({ a: state(0) }), tree({ a: state(7) })]
  for (const [before, after] of [
    [without, numbered],
    [numbered, without],
  ] as const) {
    assert.deepEqual(changesBetween(before, after), [])
    assert.deepEqual([...differences(before, after)], [...after])
  }
})

test('every kind, removals first and the rest by time', () => {
  const before = tree({
    gone: state(1),
    written: state(2),
    'd/moved': state(3),
    'd/movedAndWritten': state(4),
    old: state(5),
    mode: state(6),
    both: state(7),
    replaced: state(8),
    same: state(9),
  })
  const after = tree({
    written: state(2, { length: 2, mtimeMs: 20 }),
    'e/moved': state(3),
    'e/movedAndWritten': state(4, { mtimeMs: 12 }),
    new: state(5),
    mode: state(6, { mode: '600' }),
    both: state(7, { mode: '600', mtimeMs: 15 }),
    replaced: state(18, { mtimeMs: 10 }),
    same: state(9),
  })
  assert.deepEqual(told(changesBetween(before, after)), [
    '4 gone',
    '4 old',
    '8 e/moved',
    '16 mode',
    '1 new',
    '2 replaced',
    '10 e/movedAndWritten',
    '18 both',
    '2 written',
  ])
})

test('a server that gives no numbers: nothing is taken for moved', () => {
  const [before, after] = [tree({ 'd/a': state(0) }), tree({ 'e/a': state(0) })]
  assert.deepEqual(told(changesBetween(before, after)), ['4 d/a', '1 e/a'])
})

test('property: what is told leads from one tree to the other, and nothing is told of what is the same', () => {
  fc.assert(
    fc.property(trees, trees, (before, after) => {
      assert.deepEqual(changesBetween(before, before), [])
      const names = new Set(before.keys())
      const moved = [...before].filter(([path]) => !after.has(path))
      for (const { op, path } of changesBetween(before, after)) {
        if (op === ops.REMOVE) assert.ok(names.delete(path))
        else if (op & ops.CREATE) assert.ok(!names.has(path) && names.add(path))
        else if (op & ops.RENAME) {
          const from = moved.find(([old]) => names.has(old) && old.split('/').at(-1) === path.split('/').at(-1))
          assert.ok(from !== undefined && !names.has(path))
          names.delete(from[0])
          names.add(path)
        } else assert.ok(names.has(path))
      }
      assert.deepEqual([...names].sort(), [...after.keys()].sort())
    }),
    { numRuns: 1000 },
  )
})

test('property: the differences make one tree of the other', () => {
  fc.assert(
    fc.property(trees, trees, (before, after) => {
      const rebuilt = new Map(before)
      for (const [path, is] of differences(before, after)) {
        if (is === null) rebuilt.delete(path)
        else rebuilt.set(path, is)
      }
      assert.deepEqual(new Map([...rebuilt].sort()), new Map([...after].sort()))
    }),
  )
})

test('property: in portions all is told once, and whoever goes on after one of them tells the rest', () => {
  const sorted = (changes: Change[]) => told(changes).sort()
  fc.assert(
    fc.property(trees, trees, fc.integer({ min: 1, max: 3 }), (before, after, most) => {
      const all = changesBetween(before, after)
      const portions = [...inPortions(before, after, all, most)]
      assert.deepEqual(sorted(portions.flatMap((one) => one.told)), sorted(all))
      let known = new Map(before)
      let left = all
      for (const [i, { tree: so, changed, told: now }] of portions.entries()) {
        if (i < portions.length - 1) assert.ok(now.length > 0 && now.length <= most)
        assert.deepEqual(new Map(differences(known, so)), new Map(changed))
        known = new Map(so)
        left = left.filter((one) => !now.includes(one))
        assert.deepEqual(sorted(changesBetween(so, after)), sorted(left))
      }
      assert.deepEqual(known, new Map(after))
    }),
    { numRuns: 1000 },
  )
})
