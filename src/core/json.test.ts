import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compactJson, compactJsonBytes, goJson, goJsonOfMap, goJsonString, sortedMap } from './json.ts'
import { decodeUtf8, utf8FromLatin1 } from './utf8.ts'

const PREFIX = 'json: error calling MarshalJSON for type *json.RawMessage: '

/** What Go 1.26's `json.Marshal(&json.RawMessage)` says of each text (recorded from a real run). */
const refused: [text: string, message: string][] = [
  ['', 'unexpected end of JSON input'],
  [' \n', 'unexpected end of JSON input'],
  ['hello', "invalid character 'h' looking for beginning of value"],
  ['{', 'unexpected end of JSON input'],
  ['{a', "invalid character 'a' looking for beginning of object key string"],
  ['{"a"', 'unexpected end of JSON input'],
  ['{"a" 1', "invalid character '1' after object key"],
  ['{"a":1 2', "invalid character '2' after object key:value pair"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['[1 2', "invalid character '2' after array element"],
  ['{} x', "invalid character 'x' after top-level value"],
  ['01', "invalid character '1' after top-level value"],
  ['-', "invalid character ' ' in numeric literal"],
  ['1.', "invalid character ' ' after decimal point in numeric literal"],
  ['1e+', "invalid character ' ' in exponent of numeric literal"],
  ['tru', "invalid character ' ' in literal true (expecting 'e')"],
  ['nulL', "invalid character 'L' in literal null (expecting 'l')"],
  ['"\t"', "invalid character '\\t' in string literal"],
  ['"\x00"', "invalid character '\\x00' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['"\\', "invalid character ' ' in string escape code"],
  ["'a'", "invalid character '\\'' looking for beginning of value"],
  ['\\', "invalid character '\\\\' looking for beginning of value"],
  ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
  ['\u00a0', "invalid character 'Â' looking for beginning of value"],
]
for (const [text, message] of refused) {
  test(`refuses ${JSON.stringify(text)} in Go's words`, () => {
    assert.throws(() => compactJson(Buffer.from(text)), { code: 'EVENT_INVALID', message: PREFIX + message })
  })
}

test('nesting stops at 10,000 levels, as in Go, for objects and arrays', () => {
  const nested = (levels: number) => Buffer.from('['.repeat(levels) + ']'.repeat(levels))
  assert.equal(compactJson(nested(10_000)).text.length, 20_000)
  assert.throws(() => compactJson(nested(10_001)), { message: `${PREFIX}invalid character '[' exceeded max depth` })
  const object = Buffer.from('{"a":'.repeat(10_001))
  assert.throws(() => compactJson(object), { message: `${PREFIX}invalid character '{' exceeded max depth` })
})

test('compact: white space goes, HTML is escaped inside strings, everything else stays', () => {
  const text = ' {\t"b" : 1.0 , "a\\"": [ 12345678901234567890,\n "<&> x\u2028\u2029\\u003c" ], "b":-0e5 } '
  assert.equal(
    compactJson(Buffer.from(text)).text,
    '{"b":1.0,"a\\"":[12345678901234567890,"\\u003c\\u0026\\u003e x\\u2028\\u2029\\u003c"],"b":-0e5}',
  )
})

test('compact text is not copied', () => {
  const body = Buffer.from('{"a":[1,"é"]}')
  assert.equal(compactJsonBytes(body), body)
})

test('invalid UTF-8 inside strings survives byte for byte', () => {
  const body = Buffer.from('{ "a": "\xff\xe2\x80<" }', 'latin1')
  assert.deepEqual(compactJsonBytes(body), Buffer.from('{"a":"\xff\xe2\x80\\u003c"}', 'latin1'))
})

test('a hostile megabyte takes linear time', () => {
  for (const piece of ['[', '"', '\\', '{"a":', ' ', '"\\u', '1', '-']) {
    const started = performance.now()
    assert.throws(() => compactJsonBytes(Buffer.from(`${piece.repeat(1_000_000 / piece.length)}x`)), {
      code: 'EVENT_INVALID',
    })
    assert.ok(performance.now() - started < 2000, `${piece} took ${performance.now() - started} ms`)
  }
})

test('strings as Go writes them', () => {
  assert.equal(
    goJsonString('<a&b>\u2028"\\\n\b\f\x01\x7fé😀'),
    '"\\u003ca\\u0026b\\u003e\\u2028\\"\\\\\\n\\b\\f\\u0001\x7fé😀"',
  )
  assert.equal(goJsonString('\ud800'), '"\\ufffd"')
})

test('maps are sorted bytewise, also keys that JavaScript would put first or reorder', () => {
  const map = sortedMap(JSON.parse('{"b":1,"10":2,"9":3,"!":4,"😀":5,"\uffff":6,"__proto__":7}'))
  assert.equal(goJson({ z: map, a: 1 }), '{"z":{"!":4,"10":2,"9":3,"__proto__":7,"b":1,"\uffff":6,"😀":5},"a":1}')
})

test('a map written directly is the same as the long way', () => {
  const maps = [
    '{}',
    '{"a":["1"],"b":["2","<"],"c":[]}',
    '{"b":"1","a":"2"}',
    '{"a":"x","10":"b","9":"c"}',
    '{"😀":"1","\uffff":"2"}',
  ]
  for (const text of maps) {
    const map = JSON.parse(text)
    assert.equal(goJsonOfMap(map), goJson(sortedMap(map)))
  }
})

test('structs keep their order, undefined members are left out, bytes are base64', () => {
  assert.equal(
    goJson({
      b: null,
      a: [1, 'x', true],
      c: undefined,
      d: Buffer.from('hi'),
      e: 10n,
      f: compactJson(Buffer.from('{ }')),
    }),
    '{"b":null,"a":[1,"x",true],"d":"aGk=","e":10,"f":{}}',
  )
})

test('UTF-8 is decoded as Go does: one U+FFFD per stray byte', () => {
  const cases: [bytes: string, text: string][] = [
    ['caf\xe9', 'caf\ufffd'],
    ['\xe2\x82', '\ufffd\ufffd'],
    ['\xe2\x82\xac', '€'],
    ['\xed\xa0\x80', '\ufffd\ufffd\ufffd'],
    ['\xf0\x9f\x98\x80\xff', '😀\ufffd'],
    ['\xc0\xaf', '\ufffd\ufffd'],
    ['\xf4\x90\x80\x80', '\ufffd\ufffd\ufffd\ufffd'],
    ['\xef\xbf\xbd', '\ufffd'],
  ]
  for (const [bytes, text] of cases) assert.equal(utf8FromLatin1(bytes), text)
  assert.equal(decodeUtf8(Buffer.from('plain')), 'plain')
})

test('any bytes: accepted exactly when JSON.parse accepts them, and then the same value', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"',
      '\\',
      '\\u00e9',
      '-',
      '0',
      '1.5',
      'e1',
      'true',
      'null',
      ' ',
      '\n',
      '<',
    ),
    fc.json(),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      // Read as Latin-1 both see the same characters, whatever the bytes are.
      const bytes = Buffer.from(pieces.join(''), 'latin1')
      let wanted: unknown
      try {
        wanted = JSON.parse(bytes.toString('latin1'))
      } catch {
        assert.throws(() => compactJsonBytes(bytes), { code: 'EVENT_INVALID' })
        return
      }
      const compact = Buffer.from(compactJsonBytes(bytes))
      assert.deepEqual(JSON.parse(compact.toString('latin1')), wanted)
      assert.ok(compactJsonBytes(compact).length === compact.length)
    }),
    { seed: Number(process.env.VEDETTE_SEED ?? 20261122), numRuns: Number(process.env.VEDETTE_FUZZ ?? 3000) },
  )
})
