import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { isVedetteError, type VedetteError } from '../core/errors.ts'
import { builtins } from './builtins.ts'
import { compileFilter } from './filter.ts'
import { BUILTIN_NAMES } from './names.ts'
import { sprigFunctions, unsupported } from './sprig/index.ts'

type Outcome = boolean | VedetteError

/** True, false, or the error; anything else fails the test. */
function outcomeOf(expression: string, data: string | Uint8Array = '{}'): Outcome {
  try {
    return compileFilter(expression).matches(data)
  } catch (error) {
    assert.ok(isVedetteError(error, 'FILTER_INVALID'), `${expression} threw ${(error as Error).stack ?? error}`)
    return error
  }
}

function messageOf(expression: string, data?: string): string {
  const outcome = outcomeOf(expression, data)
  assert.ok(typeof outcome === 'object', `${expression} gave ${outcome}`)
  return outcome.message
}

interface Vector {
  data: string
  expr: string
  result?: boolean
  error?: string
}

function vectorsOf(file: string): Vector[] {
  const text = readFileSync(new URL(`../../test/golden/${file}`, import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Vector)
}

suite("upstream's results", () => {
  for (const [file, least] of [
    ['filter-vectors.jsonl', 151],
    ['filter-differential.jsonl', 1812],
  ] as const) {
    test(file, () => {
      const vectors = vectorsOf(file)
      assert.ok(vectors.length >= least)
      const wrong = vectors.flatMap(({ data, expr, result, error }) => {
        const outcome = outcomeOf(expr, data)
        const same = error === undefined ? outcome === result : typeof outcome === 'object'
        return same ? [] : [`${expr}: upstream ${error ?? result}, here ${outcome}`]
      })
      assert.deepEqual(wrong, [])
    })
  }

  test('every function that vectors could name exists', () => {
    assert.deepEqual([...builtins.keys()].sort(), [...BUILTIN_NAMES].sort())
    assert.equal(Object.keys(sprigFunctions).length, 209)
  })

  test('each supported sprig function and each builtin has a vector with a result', () => {
    const seen = vectorsOf('filter-differential.jsonl')
      .filter(({ error }) => error === undefined)
      .map(({ expr }) => expr)
      .join('\n')
    // random, telling what time it is, or always an error; the must-variants are the same functions under another name
    const untestable = /^(rand|shuffle|uuidv4|ago$|must|fail$)/
    const names = Object.keys(sprigFunctions).filter(
      (name) => !untestable.test(name) && !unsupported.some((refused) => refused === name),
    )
    const missing = [
      ...names.filter((name) => !new RegExp(`sprig\\.${name}\\(`).test(seen)).map((name) => `sprig.${name}`),
      ...[...BUILTIN_NAMES].filter((name) => !new RegExp(`(?<![.\\w])${name}\\(`).test(seen)),
    ]
    assert.deepEqual(missing, [])
  })
})

suite('messages', () => {
  test('say where and what', () => {
    assert.match(messageOf('a ==\n  b ='), /^filter "a ==\\n {2}b =" at 2:5: unexpected operator "="$/)
    assert.match(messageOf(''), /at 1:1: unexpected end of expression/)
    assert.match(messageOf('a ==  (b'), /at 1:9: unexpected end of expression, expected "\)"/)
    assert.match(messageOf('"abc'), /at 1:1: string is not terminated/)
    assert.match(messageOf('type == "push"'), /at 1:6: invalid operation: func.* == string/)
    assert.match(
      messageOf('a.b.c == 1', '{"a":{}}'),
      /at 1:5: cannot fetch "c" from nil: use \?\. where it may be missing/,
    )
    assert.match(messageOf('a matches "("', '{"a":"x"}'), /missing closing \)/)
    assert.match(messageOf('a % 2 == 0', '{"a":4}'), /invalid operation: float64 % int/)
    assert.match(messageOf('sprig.nope(1)'), /there is no such function/)
    assert.match(messageOf('sprig.genCA("a", 1)'), /sprig\.genCA is not supported in filters/)
    assert.match(messageOf('a', '{"a":"yes"}'), /unable to cast expression result 'yes' to bool/)
    assert.match(messageOf('true', '[1]'), /must be a JSON object/)
    assert.match(messageOf('true', '{"a":'), /not JSON/)
  })

  test('wrong expressions are refused before any event is seen', () => {
    for (const expression of [
      '',
      '1 +',
      'type == 1',
      '7 % 0 == 1',
      '"a" matches "("',
      'len(1, 2) == 1',
      'filter([1], 2)',
    ])
      assert.throws(() => compileFilter(expression), { code: 'FILTER_INVALID' })
  })

  test('do not carry more than a piece of the expression or of the value', () => {
    assert.ok(messageOf(`"${'x'.repeat(10_000)}"`).length < 500)
  })
})

suite('data', () => {
  test('bytes and text alike, in any view', () => {
    const bytes = Buffer.from('..{"a":"é"}..').subarray(2, -2)
    assert.equal(outcomeOf('a == "é" and len(a) == 2', new Uint8Array(bytes)), true)
    assert.equal(outcomeOf('a == "é"', bytes), true)
  })

  test('one filter serves many events, and none leaves a trace', () => {
    const filter = compileFilter(
      'sprig.set(body, "seen", true).seen and body.n == 1 and sprig.set(sprig, "x", 1).x == 1',
    )
    assert.equal(filter.matches('{"body":{"n":1}}'), true)
    assert.equal(filter.matches('{"body":{"n":2}}'), false)
    assert.equal(outcomeOf('"x" in sprig or body?.seen == true', '{"body":{}}'), false)
    assert.equal(filter.matches('{"body":{"n":1}}'), true)
  })

  test('names of prototypes are names like any other', () => {
    const data = '{"__proto__":{"a":1},"constructor":{"prototype":{"b":2}},"toString":3,"m":{}}'
    for (const expression of [
      '__proto__.a == 1',
      'constructor.prototype.b == 2',
      'toString == 3',
      'm.constructor == nil and m.__proto__ == nil and m["hasOwnProperty"] == nil',
      'valueOf == nil and $env["isPrototypeOf"] == nil',
      'sprig.set(m, "__proto__", {"x": 1}).__proto__.x == 1',
      'fromJSON(\'{"__proto__":{"y":1}}\').__proto__.y == 1',
    ])
      assert.equal(outcomeOf(expression, data), true, expression)
    assert.equal(({} as { a?: unknown }).a, undefined)
    assert.equal(({} as { x?: unknown }).x, undefined)
  })
})

test('what upstream gets wrong is right here (docs/filters.md lists it)', () => {
  const data = '{"a":[1,2,3]}'
  assert.equal(outcomeOf('3 == findLast(a, # > 1)', data), true)
  assert.equal(outcomeOf('2 == findLastIndex(a, # > 1)', data), true)
  assert.equal(outcomeOf('1 + (missing?.f(5) ?? 2) == 3', data), true)
})
