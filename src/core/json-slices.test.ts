import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonItems, jsonMembers } from './json-slices.ts'

test('members and items as they stand, repeats included', () => {
  assert.deepEqual(jsonMembers('{"a":1.0,"b":{"x":[1,{"y":"},{"}]},"a":"\\"]","\\u0061":[]}'), [
    ['a', '1.0'],
    ['b', '{"x":[1,{"y":"},{"}]}'],
    ['a', '"\\"]"'],
    ['a', '[]'],
  ])
  assert.deepEqual(jsonItems('["a,b",[1,2],{"c":[]},""]'), ['"a,b"', '[1,2]', '{"c":[]}', '""'])
  assert.deepEqual([jsonMembers('{}'), jsonItems('[]')], [[], []])
})

test('put together again they are the same value', () => {
  const rebuild = (text: string): unknown => {
    if (text.startsWith('{')) return Object.fromEntries(jsonMembers(text).map(([k, v]) => [k, rebuild(v)]))
    if (text.startsWith('[')) return jsonItems(text).map(rebuild)
    return JSON.parse(text)
  }
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = JSON.stringify(value)
      assert.equal(JSON.stringify(rebuild(text)), JSON.stringify(JSON.parse(text)))
    }),
    { numRuns: 2_000, seed: 3 },
  )
})
