import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type Change, differences, diffPolled, diffWatched } from './diff.ts'
import { type FileState, SELF, type Table } from './table.ts'

const state = (ino: number, more: Partial<FileState> = {}): FileState => ({
  ino: BigInt(ino),
  size: 1,
  mtimeNs: 10n,
  ctimeNs: 10n,
  btimeNs: BigInt(ino),
  mode: 0o100644,
  ...more,
})
const table = (entries: Record<string, FileState>): Table => new Map(Object.entries(entries))
const told = (changes: Change[]) => changes.map(({ op, key, to }) => `${op} ${key}${to === undefined ? '' : `>${to}`}`)

/** Directories of a few names and inodes, so that renames, replacements, links and swaps are all frequent. */
const tables = fc
  .dictionary(
    fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'e'),
    fc
      .record({
        ino: fc.integer({ min: 1, max: 5 }),
        size: fc.integer({ min: 0, max: 2 }),
        time: fc.integer({ min: 1, max: 4 }),
        born: fc.integer({ min: 0, max: 2 }),
        mode: fc.constantFrom(0o100644, 0o100600, 0o040755),
      })
      .map(({ ino, size, time, born, mode }) =>
        state(ino, { size, mtimeNs: BigInt(time), ctimeNs: BigInt(time), btimeNs: BigInt(born), mode }),
      ),
    { noNullPrototype: true },
  )
  .map((entries) => new Map(Object.entries(entries)))

function applied(before: Table, changes: Change[], renameArrives: boolean): Set<string> {
  const names = new Set(before.keys())
  for (const { op, key, to } of changes) {
    if (op === 'REMOVE' || op === 'RENAME') assert.ok(names.delete(key), `${op} of ${key}, which is not there`)
    if (op === 'RENAME' && renameArrives) names.add(to!)
    if (op === 'CREATE') names.add(key)
    if (op === 'WRITE' || op === 'CHMOD') assert.ok(names.has(key) || renameArrives, `${op} of ${key}, not there`)
  }
  return names
}

suite('properties', () => {
  for (const [name, diff, renameArrives] of [
    ['watched', diffWatched, false],
    ['polled', diffPolled, true],
  ] as const) {
    test(`${name}: the events turn the old names into the new`, () => {
      fc.assert(
        fc.property(tables, tables, (before, after) => {
          assert.deepEqual([...applied(before, diff(before, after), renameArrives)].sort(), [...after.keys()].sort())
        }),
        { numRuns: 1000 },
      )
    })

    test(`${name}: no difference, no events; no event twice`, () => {
      fc.assert(
        fc.property(tables, tables, (before, after) => {
          assert.deepEqual(diff(before, before), [])
          const all = told(diff(before, after))
          assert.equal(new Set(all).size, all.length)
        }),
        { numRuns: 500 },
      )
    })
  }

  test('the differences turn the old table into the new', () => {
    fc.assert(
      fc.property(tables, tables, (before, after) => {
        const rebuilt = new Map(before)
        for (const [key, is] of differences(before, after)) {
          if (is === null) rebuilt.delete(key)
          else rebuilt.set(key, is)
        }
        assert.deepEqual(new Map([...rebuilt].sort()), new Map([...after].sort()))
      }),
    )
  })

  test('watched: looking only at the names that differ gives the same', () => {
    fc.assert(
      fc.property(tables, tables, (before, after) => {
        const keys = differences(before, after).keys()
        assert.deepEqual(diffWatched(before, after, { keys }), diffWatched(before, after))
      }),
    )
  })
})

suite('watched', () => {
  test('a swap of two names is two renames and two creations', () => {
    const changes = diffWatched(table({ a: state(1), b: state(2) }), table({ a: state(2), b: state(1) }))
    assert.deepEqual(told(changes), ['RENAME a>b', 'RENAME b>a', 'CREATE a', 'CREATE b'])
  })

  test('a rename over another is RENAME and CREATE of the target only', () => {
    const changes = diffWatched(table({ tmp: state(1), x: state(2) }), table({ x: state(1) }))
    assert.deepEqual(told(changes), ['RENAME tmp>x', 'CREATE x'])
  })

  test('what arrived is told in the order of its change times', () => {
    const after = table({ a: state(1, { ctimeNs: 30n }), b: state(2, { ctimeNs: 20n }), gone: state(3) })
    const changes = diffWatched(table({ gone: state(3), old: state(4) }), after)
    assert.deepEqual(told(changes), ['REMOVE old', 'CREATE b', 'WRITE b', 'CREATE a', 'WRITE a'])
  })

  test('whether a new file was written: as heard, else by its size', () => {
    const after = table({ a: state(1), e: state(2, { size: 0 }) })
    const kinds = (hints?: Map<string, boolean>) => told(diffWatched(new Map(), after, hints && { hints }))
    assert.deepEqual(kinds(), ['CREATE a', 'WRITE a', 'CREATE e'])
    assert.deepEqual(kinds(new Map([['a', false]])), ['CREATE a', 'CREATE e'])
    assert.deepEqual(kinds(new Map([['a', true]])), ['CREATE a', 'WRITE a', 'CREATE e'])
  })

  test('a hint about content that comes a look late still gives its WRITE, once', () => {
    const same = table({ a: state(1) })
    const hints = new Map([['a', true]])
    assert.deepEqual(told(diffWatched(same, same, { hints, unwritten: new Set(['a']) })), ['WRITE a'])
    assert.deepEqual(told(diffWatched(same, same, { hints })), [])
    assert.deepEqual(told(diffWatched(same, same, { unwritten: new Set(['a']) })), [])
  })

  test('content inside a sub-directory changes only its times: nothing', () => {
    const at = (time: bigint) => table({ sub: state(1, { mode: 0o040755, mtimeNs: time, ctimeNs: time, size: 4096 }) })
    assert.deepEqual(diffWatched(at(1n), at(2n)), [])
  })

  test('attributes: mode, or a change time without a write', () => {
    const before = table({ a: state(1) })
    const kinds = (more: Partial<FileState>) => told(diffWatched(before, table({ a: state(1, more) })))
    assert.deepEqual(kinds({ mode: 0o100600, ctimeNs: 11n }), ['CHMOD a'])
    assert.deepEqual(kinds({ ctimeNs: 11n }), ['CHMOD a'])
    assert.deepEqual(kinds({ ctimeNs: 11n, mtimeNs: 11n }), ['WRITE a'])
    assert.deepEqual(kinds({ ctimeNs: 12n, mtimeNs: 11n }), ['WRITE a', 'CHMOD a'])
    assert.deepEqual(kinds({ ctimeNs: 11n, mtimeNs: 11n, touched: true }), ['WRITE a', 'CHMOD a'])
  })
})

suite('polled', () => {
  test('order: changes, renames, creations, removals; the directory itself takes part', () => {
    const self = (time: bigint) => state(9, { mode: 0o040755, mtimeNs: time })
    const before = table({ [SELF]: self(1n), w: state(1), m: state(2), old: state(3), gone: state(4) })
    const after = table({
      [SELF]: self(2n),
      w: state(1, { mtimeNs: 11n }),
      m: state(2, { mode: 0o100600 }),
      fresh: state(3),
      made: state(5),
    })
    assert.deepEqual(told(diffPolled(before, after)), [
      'WRITE ',
      'CHMOD m',
      'WRITE w',
      'RENAME old>fresh',
      'CREATE made',
      'WRITE made',
      'REMOVE gone',
    ])
  })

  test('a replaced file is WRITE of its name; a change time alone is nothing', () => {
    const before = table({ x: state(1), tmp: state(2, { mtimeNs: 12n }) })
    assert.deepEqual(told(diffPolled(before, table({ x: state(2, { mtimeNs: 12n }) }))), ['WRITE x', 'REMOVE tmp'])
    assert.deepEqual(diffPolled(table({ x: state(1) }), table({ x: state(1, { ctimeNs: 11n }) })), [])
  })
})
