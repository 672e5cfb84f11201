import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goStructs } from './struct.ts'

const table = {
  All: 's: string; i: int; f: float; b: bool; a: any; r: raw; p: Inner|null; l: string[]; m: map<int>; n: number; in: Inner',
  Sparse:
    's?: string; i?: int; f?: float; b?: bool; p?: Inner|null; l?: string[]; m?: map<int>; n?: number; r?: raw; in?: Inner; c?: Own',
  Inner: 'x: string',
  Lists: 'a: Inner|null[]; b: map<map<Inner[]>>',
  Self: 'child?: Self|null; v: int',
}
const structs = goStructs(table, () => ({ Own: (text) => text ?? 'null' }))

test('absent members have their zero value, or are left out', () => {
  const zero = '{"s":"","i":0,"f":0,"b":false,"a":null,"r":null,"p":null,"l":null,"m":null,"n":0,"in":{"x":""}}'
  assert.equal(structs.encode('All', '{}'), zero)
  assert.equal(structs.encode('All', 'null'), zero)
  assert.equal(structs.encode('All', '{"s":null,"i":null,"in":null,"l":null}'), zero)
  assert.equal(structs.encode('Sparse', '{}'), '{"in":{"x":""},"c":null}')
  assert.equal(
    structs.encode('Sparse', '{"s":"","i":0,"f":-0.0,"b":false,"l":[],"m":{},"r":null}'),
    '{"in":{"x":""},"c":null}',
  )
  assert.equal(structs.encode('Sparse', '{"n":0,"p":{}}'), '{"p":{"x":""},"n":0,"in":{"x":""},"c":null}')
})

test('values are written as Go writes them', () => {
  assert.equal(
    structs.encode(
      'All',
      '{"n":1.50,"m":{"b":2,"a":1},"l":["<",null],"p":{"x":"1","y":2},"r":{"z":1.0,"a":[1e400]},"a":{"z":1.0,"a":[]},"b":true,"f":1.0,"i":-9223372036854775808,"s":"\\u00e9&","unknown":1}',
    ),
    '{"s":"é\\u0026","i":-9223372036854775808,"f":1,"b":true,"a":{"a":[],"z":1},"r":{"z":1.0,"a":[1e400]},"p":{"x":"1"},"l":["\\u003c",""],"m":{"a":1,"b":2},"n":1.50,"in":{"x":""}}',
  )
  assert.equal(
    structs.encode('Lists', '{"a":[null,{}],"b":{"k":{"j":[{"x":"y"}]}}}'),
    '{"a":[null,{"x":""}],"b":{"k":{"j":[{"x":"y"}]}}}',
  )
  assert.equal(structs.encode('Self', '{"child":{"child":{},"v":1}}'), '{"child":{"child":{"v":0},"v":1},"v":0}')
})

test('names match in any case, the exact one first; of repeats the last counts', () => {
  assert.equal(structs.encode('Inner', '{"X":"a"}'), '{"x":"a"}')
  assert.equal(structs.encode('Inner', '{"x":"a","x":"b"}'), '{"x":"b"}')
  assert.equal(structs.encode('Inner', '{"x":"a","x":null}'), '{"x":"a"}')
})

test('what does not fit is refused in Go’s words', () => {
  const refused = (type: string, text: string, words: string) =>
    assert.throws(() => structs.encode(type, text), { code: 'EVENT_INVALID', message: words })
  const of = (kind: string, at: string, type: string) =>
    `json: cannot unmarshal ${kind} into Go struct field ${at} of type ${type}`
  refused('All', '{"s":1}', of('number', 'All.s', 'string'))
  refused('All', '{"i":1.5}', of('number 1.5', 'All.i', 'int'))
  refused('All', '{"i":9223372036854775808}', of('number 9223372036854775808', 'All.i', 'int'))
  refused('All', '{"i":"1"}', of('string', 'All.i', 'int'))
  refused('All', '{"f":1e400}', of('number', 'All.f', 'float64'))
  refused('All', '{"b":"true"}', of('string', 'All.b', 'bool'))
  refused('All', '{"l":{}}', of('object', 'All.l', 'slice'))
  refused('All', '{"m":[]}', of('array', 'All.m', 'map'))
  refused('All', '{"m":{"k":"v"}}', of('string', 'All.m.k', 'int'))
  refused('All', '{"in":true}', of('bool', 'All.in', 'struct'))
  refused('All', '{"n":"x"}', of('string', 'All.n', 'json.Number'))
})
