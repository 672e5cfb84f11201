import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { isVedetteError } from '../core/errors.ts'
import { compileFilter } from './filter.ts'
import { limits } from './limits.ts'
import { BUILTIN_NAMES, PREDICATES } from './names.ts'
import { sprigFunctions } from './sprig/index.ts'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const DATA = JSON.stringify({
  body: {
    s: 'ab cd '.repeat(20_000),
    a: 'a'.repeat(100_000),
    u: 'é€'.repeat(20_000),
    n: Array.from({ length: 2000 }, (_, i) => i),
    t: Array.from({ length: 2000 }, (_, i) => `k${i}`),
    j: JSON.stringify(Array.from({ length: 5000 }, (_, i) => ({ a: i }))),
    deep: JSON.parse(nested(900)),
  },
})

/** Bounds hold at about 100 ms on an idle machine; a test must also pass on one that is busy with other things. */
const MOST_MS = 3000

function outcomeOf(expression: string, data = DATA): boolean | string {
  const start = performance.now()
  try {
    return compileFilter(expression).matches(data)
  } catch (error) {
    assert.ok(
      isVedetteError(error, 'FILTER_INVALID'),
      `${expression.slice(0, 300)} threw ${(error as Error).stack ?? error}`,
    )
    return error.message
  } finally {
    const took = performance.now() - start
    assert.ok(took < MOST_MS, `${expression.slice(0, 300)} took ${took} ms`)
  }
}

suite('an expression that would cost too much is refused in time', () => {
  const ZONE = 'date("2024-01-01 12:00", "2006-01-02 15:04", "Europe/Berlin")'
  for (const expression of [
    'any(body.n, any(body.n, any(body.n, # < 0)))',
    'len(1..1000000000) > 0',
    'len(1..9223372036854775807) > 0',
    'len(map(1..999999, # * 2)) > 0',
    'all(1..999999, body.s contains string(#) or true)',
    'all(1..999999, upper(body.u) != "")',
    'repeat("x", 1000000000) == ""',
    'len(repeat(body.s, 1000)) > 0',
    'reduce(1..900000, #acc + "x", "") == ""',
    'reduce(1..60, #acc + #acc, "x") == ""',
    'reduce(1..60, [#acc, #acc], 1) == reduce(1..60, [#acc, #acc], 1)',
    'string(reduce(1..60, [#acc, #acc], 1)) == ""',
    'toJson(reduce(1..60, [#acc, #acc], 1)) == "x"',
    'string(reduce(1..50000, [#acc], 1)) == ""',
    'toJson(sprig.set(body, "self", body)) == "x"',
    'string(sprig.set(body, "self", body)) == ""',
    'sprig.deepCopy(sprig.set(body, "self", body)) == nil',
    'body.s matches "(a?){100}a{100}"',
    'body.a matches "(a|aa)*(a|aa)*(a|aa)*b$" and all(1..999, body.a matches "(a|aa)*(a|aa)*b$" or true)',
    'all(1..999999, "x" matches ("a{9}" + string(#)) or true)',
    'all(1..999999, "x" matches sprig.repeat(500, "a{9}") + string(#))',
    'all(1..99999, sprig.regexReplaceAll("a|b|c", body.s, "bb") != "")',
    'len(sprig.regexFindAll("a.*z|a", body.a, -1)) > 0',
    'all(1..99999, sprig.snakecase(body.s) != "")',
    'all(1..99999, sprig.quote(body.u) != "")',
    'sprig.indent(1000000000, "x") == ""',
    'sprig.replace("", body.a, body.a) == ""',
    'sprig.seq(1, 1000000000) == ""',
    'len(sprig.until(1000000000)) == 1',
    'sprig.randAlpha(1000000000) == ""',
    'sprig.mulf(1e300, 1e300, 1e300, 1e300) == 0 or all(1..999999, sprig.divf(1e-300, 1e300) == 0)',
    'len(sprig.uniq(body.n)) == 1 and all(body.n, # in body.n)',
    `all(1..999999, ${ZONE}.Hour() == 12)`,
    `let t = ${ZONE}; all(1..999999, string(t) != "")`,
    'all(1..999999, date(string(#), "2006", "Zone/" + string(#)) != nil)',
    'all(1..99999, len(jsonpath(body.j, "$..a")) > 0)',
    'jsonpath(body.j, "$..*..*..*..*") == nil or all(1..9999, jsonpath(body.j, "$..[?(@.a > 1)]") != nil)',
    'all(1..99999, fromJSON(body.j) != nil)',
    'all(1..99999, sort(body.n) != nil)',
    'all(1..99999, len(groupBy(body.t, #)) > 0)',
    'all(1..999999, sprig != nil and sprig.lower("x") == "x" and {"a": #}.a > 0)',
  ])
    test(expression, () => {
      assert.match(String(outcomeOf(expression)), /too much|budget|too long|nested|repeats|invalid repeat|unknown time/)
    })
})

suite('depth and length', () => {
  test('of expressions', () => {
    for (const expression of [
      '('.repeat(30_000),
      `${'('.repeat(30_000)}1${')'.repeat(30_000)}`,
      '!'.repeat(60_000),
      `${'- '.repeat(20_000)}1`,
      `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
      '{a:'.repeat(15_000),
      `${'true ? true : '.repeat(4000)}true`,
      'a?.b'.repeat(15_000),
      `a${'.b'.repeat(30_000)}`,
      `a${'[0]'.repeat(20_000)}`,
      `1${' + 1'.repeat(15_000)} == 1`,
      `1${' ** 1'.repeat(12_000)} == 1`,
      'let a = 1; '.repeat(5000),
      'filter('.repeat(9000),
      `"${'x'.repeat(70_000)}" == ""`,
    ])
      assert.match(String(outcomeOf(expression, '{}')), /nested deeper|unexpected|longer|more than|declared already/)
  })

  test('what people write is far from them', () => {
    const chain = Array.from({ length: 900 }, (_, i) => `body.id == ${i}`).join(' or ')
    assert.equal(outcomeOf(chain, '{"body":{"id":899}}'), true)
    const list = Array.from({ length: 5000 }, (_, i) => `"k${i}"`).join(', ')
    assert.equal(outcomeOf(`body.id in [${list}]`, '{"body":{"id":"k4999"}}'), true)
    assert.equal(outcomeOf(`${'('.repeat(100)}true${')'.repeat(100)}`, '{}'), true)
    assert.equal(outcomeOf('body.n[1999] == 1999 and len(body.s) == 120000'), true)
    assert.equal(outcomeOf('any(body.t, # matches "^k19+$")'), true)
    assert.equal(outcomeOf('body.s matches "cd ab$"'), false)
    assert.equal(outcomeOf('len(filter(body.n, # % 2 == 0)) > 0').toString().includes('float64 % int'), true)
    assert.equal(outcomeOf('count(body.n, int(#) % 2 == 0) == 1000'), true)
    assert.equal(outcomeOf('len(jsonpath(body.j, "$[*].a")) == 5000'), true)
  })

  test('of data', () => {
    const refused = (data: string) => assert.match(String(outcomeOf('a == nil or true', data)), /nested deeper/)
    assert.equal(outcomeOf('len(string(a)) > 0', `{"a":${nested(limits.dataDepth - 1)}}`), true)
    refused(`{"a":${nested(limits.dataDepth)}}`)
    refused(`{"a":${nested(200_000)}}`)
    refused('{"a":'.repeat(100_000))
    assert.equal(outcomeOf('a != ""', `{"a":"${'['.repeat(100_000)}\\""}`), true)
    assert.match(String(outcomeOf(`fromJSON("${'['.repeat(5000)}") == nil`, '{}')), /nested deeper/)
    assert.match(String(outcomeOf('true', '{"a":1e400}')), /beyond float64/)
  })
})

suite('whatever is thrown at it (seeded)', () => {
  const settle = (expression: string, data?: string) => {
    const outcome = outcomeOf(expression, data)
    assert.ok(typeof outcome === 'boolean' || outcome.startsWith('filter '), expression)
  }
  const pick = (...values: string[]) => fc.constantFrom(...values)
  const leaf = fc.oneof(
    pick('body', 'body.s', 'body.n', 'body.t', 'body.j', 'body.u', 'body.deep', 'missing', '$env', 'sprig', '#', '.a'),
    pick('nil', 'true', 'false', '0', '1', '-1', '3', '1.5', '1e300', '9223372036854775807', '0x7f', '0.0'),
    pick('""', '"a"', '"é"', '"^a+$"', '"("', '"$..a"', '"$[?(@.a>1)]"', '"2006-01-02"', '"Europe/Berlin"', '">=1.2"'),
    pick('[]', '{}', '[1, "a", nil]', '{"a": 1}', '1..3', 'now()', 'duration("1h")', 'date("2024-02-29")'),
    fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => JSON.stringify(text)),
    fc.double().map(String),
  )
  const functions = [
    ...[...BUILTIN_NAMES].filter((name) => !PREDICATES.has(name)),
    ...Object.keys(sprigFunctions).map((name) => `sprig.${name}`),
    ...['asInt', 'asFloat', 'toJson', 'jsonpath', 'nope'],
  ]
  const operators = '+ - * / % ** == != < > <= >= in and or && || ?? .. contains startsWith endsWith matches'.split(' ')
  const { expression } = fc.letrec<{ expression: string }>((tie) => {
    const inner = tie('expression')
    return {
      expression: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        fc.tuple(inner, pick(...operators, 'not in'), inner).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
        fc
          .tuple(pick(...functions), fc.array(inner, { maxLength: 4 }))
          .map(([name, args]) => `${name}(${args.join(', ')})`),
        fc.tuple(pick(...PREDICATES), inner, inner).map(([name, list, closure]) => `${name}(${list}, {${closure}})`),
        fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
        fc.tuple(inner, inner).map(([a, b]) => `(${a})[${b}]`),
        fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a})[${b}:${c}]`),
        fc
          .tuple(inner, pick('a', 'Year()', 'Format("2006")', 'constructor', '__proto__'))
          .map(([a, b]) => `(${a})?.${b}`),
        fc.tuple(inner, inner).map(([a, b]) => `(let x = ${a}; ${b} == x)`),
        fc.tuple(pick('-', '!', 'not ', '+'), inner).map(([sign, a]) => `${sign}${a}`),
      ),
    }
  })

  test('3,000 expressions from the grammar', () => {
    fc.assert(
      fc.property(expression, (text) => settle(text)),
      { seed: 20240229, numRuns: 3000 },
    )
  })

  test('2,000 heaps of tokens and characters', () => {
    const token = fc.oneof(
      pick(...'( ) [ ] { } , ; : ? . .. ?. ?? # | & = ! " \' \\ // /* */ let not in 0x 1e 1_0 $env'.split(' ')),
      leaf,
      pick(...operators),
      fc.string({ unit: 'binary', maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => settle(tokens.join(' '), '{"a":1}')),
      { seed: 4711, numRuns: 2000 },
    )
  })

  test('1,000 payloads, JSON and not', () => {
    const payload = fc.oneof(
      fc.json({ noUnicodeString: false }),
      fc.string({ unit: 'binary' }),
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()).map((object) => JSON.stringify(object)),
    )
    fc.assert(
      fc.property(payload, (data) => settle('toJson($env["a"]) == string(body) or len(keys($env)) > 5', data)),
      { seed: 42, numRuns: 1000 },
    )
  })

  test('1,000 JSONPaths, patterns, layouts and versions', () => {
    const piece = pick(
      ...'$ @ . .. [ ] ( ) ? * : , \' " 0 -1 a length && || == < =~ ! + - in ^ {2} \\ 2006 Jan MST .000 ~ > x'.split(
        ' ',
      ),
    )
    const odd = fc.array(piece, { maxLength: 14 }).map((pieces) => JSON.stringify(pieces.join('')))
    const use = pick(
      'jsonpath(body.j, X) == nil',
      'jsonpath(body.j, "$" + X) == nil',
      'jsonpath(body.j, "$[?(" + X + ")]") == nil',
      '"ab" matches X',
      'sprig.regexReplaceAll(X, "ab", X) == ""',
      'now().Format(X) == ""',
      'date("2024", X) == now()',
      'sprig.semverCompare(X, "1.2.3")',
      'sprig.urlParse(X).host == ""',
      'sprig.snakecase(X) == ""',
    )
    fc.assert(
      fc.property(odd, use, (text, template) => settle(template.replaceAll('X', text))),
      { seed: 7, numRuns: 1000 },
    )
  })
})
