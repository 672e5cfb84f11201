import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treeLimits } from './convert.ts'
import { resolvePlain } from './scalar.ts'
import { plainValue } from './tree.ts'
import { limits, parseYaml } from './yaml.ts'

const one = (text: string): unknown => {
  const { documents, problems } = parseYaml(text)
  assert.deepEqual(problems, [])
  return plainValue(documents[0]!)
}
/** The first problem as `line:column message`. */
const problem = (text: string): string => {
  const { problems, position } = parseYaml(text)
  assert.ok(problems.length > 0, 'a problem')
  const { line, column } = position(problems[0]!.at)
  return `${line}:${column} ${problems[0]!.message}`
}

test('unquoted words mean what they mean to kubectl (go-yaml v2)', () => {
  const want: [string, unknown][] = [
    ['yes', true],
    ['On', true],
    ['n', false],
    ['OFF', false],
    ['yEs', 'yEs'],
    ['~', null],
    ['', null],
    ['NULL', null],
    ['017', 15],
    ['0o17', 15],
    ['08', 8],
    ['0x1F', 31],
    ['0b11', 3],
    ['-0b11', -3],
    ['1_000', 1000],
    ['+12', 12],
    ['-0', 0],
    ['.5', 0.5],
    ['1e3', 1000],
    ['1.', 1],
    ['9007199254740993000', 9007199254740993000],
    ['12:30', '12:30'],
    ['2026-01-02', '2026-01-02'],
    ['1.2.3', '1.2.3'],
    ['0x', '0x'],
    ['-', '-'],
    ['.', '.'],
    ['1__', 1],
    ['nan', 'nan'],
  ]
  for (const [text, value] of want) assert.deepEqual(resolvePlain(text), value, JSON.stringify(text))
})

test('quotes and tags', () => {
  assert.deepEqual(one('a: "1"\nb: \'yes\'\nc: !!str 1\nd: !!int "7"\ne: !own x\nf: !!binary aGk=\ng: !!float 1'), {
    a: '1',
    b: 'yes',
    c: '1',
    d: 7,
    e: 'x',
    f: 'hi',
    g: 1,
  })
  assert.equal(problem('a: !!int x'), '1:10 the value is not of the type that its tag says')
  assert.equal(problem('a: .inf'), '1:4 JSON has no infinity and no "not a number"')
})

test('keys that are no strings become text; complex, empty and __proto__ keys are refused', () => {
  assert.deepEqual(one('1: a\n2.5: b'), { 1: 'a', 2.5: 'b' })
  assert.equal(problem('a: {yes: 1}'), '1:5 this key is read as true, as in YAML 1.1')
  assert.equal(problem('? [a]\n: 1'), '1:3 a key must be plain text')
  assert.equal(problem('a: {: 1}'), '1:5 a key is empty')
  assert.equal(problem('x: 1\n__proto__: {polluted: true}'), '2:1 the key "__proto__" is not allowed')
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  assert.deepEqual(one('constructor: 1\ntoString: 2'), { constructor: 1, toString: 2 })
})

test('merge keys: explicit members win, earlier maps win, quoted << is a key', () => {
  assert.deepEqual(one('a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nc: {<<: [*a, *b], p: 3}\nd: {"<<": 1}'), {
    a: { p: 1, q: 1 },
    b: { q: 2, r: 2 },
    c: { p: 3, q: 1, r: 2 },
    d: { '<<': 1 },
  })
  assert.equal(problem('c: {<<: 1}'), '1:5 a merge key (<<) takes an object or a list of objects')
})

test('an anchor may be named again; the last one before an alias counts', () => {
  assert.deepEqual(one('a: &x 1\nb: *x\nc: &x 2\nd: *x'), { a: 1, b: 1, c: 2, d: 2 })
})

test('tabs, NUL, other control characters, text that is not UTF-8: refused at their place', () => {
  assert.equal(problem('a:\n\tb: 1'), '2:1 a tab is used to indent')
  assert.equal(problem('a: 1\nb: \0'), '2:4 the control character U+0000 is not allowed in YAML')
  assert.equal(problem('a: \x1b[31m'), '1:4 the control character U+001B is not allowed in YAML')
  assert.equal(problem(Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]).toString('utf8')), '1:4 this is not UTF-8 text')
})

test('empty documents are none', () => {
  for (const text of ['', '\n', '---\n---\n', '# only a comment\n', '--- ~\n', '\uFEFF']) {
    const { documents, problems } = parseYaml(text)
    assert.deepEqual([documents.length, problems], [0, []], JSON.stringify(text))
  }
})

const depth = treeLimits.depth
const hostile: { name: string; text: () => string; message: RegExp }[] = [
  {
    name: 'alias bomb',
    text: () => {
      const line = (c: string, of: string) => `${c}: &${c} [${Array(9).fill(`*${of}`).join(',')}]\n`
      return `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghij'].map((c, i) => line(c, 'abcdefghij'[i]!)).join('')}`
    },
    message: /the aliases up to here stand for more than/,
  },
  {
    name: 'merge bomb',
    text: () =>
      `a: &a {${Array.from({ length: 1000 }, (_, i) => `k${i}: 1`).join(', ')}}\n` +
      Array.from({ length: 1000 }, (_, i) => `m${i}: {<<: *a}\n`).join(''),
    message: /stand for more than/,
  },
  { name: 'an alias to its own ancestor', text: () => 'a: &a [*a]', message: /inside its own anchor/ },
  { name: 'an alias to nothing', text: () => 'a: *a', message: /names no anchor/ },
  { name: 'deep lists', text: () => `a: ${'['.repeat(1e6)}`, message: /nested deeper than/ },
  { name: 'deep objects', text: () => '{a: '.repeat(2e5), message: /nested deeper than/ },
  { name: 'deep sequences', text: () => '- '.repeat(1e6), message: /nested deeper than/ },
  { name: 'deep keys', text: () => '? '.repeat(1e6), message: /nested deeper than/ },
  {
    name: 'deep by indentation',
    text: () => Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''),
    message: /nested deeper than/,
  },
  {
    name: 'just too deep',
    text: () => '['.repeat(depth + 1) + ']'.repeat(depth + 1),
    message: /nested deeper than/,
  },
  {
    name: 'deep by aliases',
    text: () =>
      `a: &a ${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}\nb: ${'['.repeat(depth / 2)}*a${']'.repeat(depth / 2)}`,
    message: /nested deeper than/,
  },
  { name: 'a 10 MB string', text: () => `a: "${'x'.repeat(1e7)}"`, message: /characters; at most/ },
  { name: '10 MB of lines', text: () => 'a: 1\n'.repeat(2e6), message: /characters; at most/ },
  { name: '10 MB of empty lines', text: () => '\n'.repeat(1e7), message: /characters; at most/ },
  { name: '2 MB of keys', text: () => Array.from({ length: 2e5 }, (_, i) => `k${i}: 1\n`).join(''), message: /tokens/ },
  { name: 'one key very often', text: () => 'a: 1\n'.repeat(10_000), message: /is there twice/ },
  { name: 'commas', text: () => `[${','.repeat(1e6)}`, message: /tokens/ },
  { name: 'closing brackets', text: () => ']'.repeat(1e6), message: /too much wrong/ },
  { name: 'documents', text: () => '---\n'.repeat(4e5), message: /tokens/ },
  { name: 'directives', text: () => '%a\n'.repeat(4e5), message: /tokens/ },
  { name: 'anchors', text: () => '&a '.repeat(3e5), message: /tokens/ },
  { name: 'quotes', text: () => '"'.repeat(1e6), message: /tokens|too much wrong/ },
]
for (const { name, text, message } of hostile) {
  test(`refused quickly: ${name}`, () => {
    const input = text()
    const before = process.cpuUsage()
    const { problems } = parseYaml(input)
    const { user, system } = process.cpuUsage(before)
    assert.ok(
      problems.some((found) => message.test(found.message)),
      `${problems.length} problems, first: ${problems[0]?.message}`,
    )
    assert.ok(problems.length <= limits.problems + 2, `${problems.length} problems`)
    assert.ok(user + system < 2e6, `${(user + system) / 1000} ms of processor time`)
  })
}

test('what is allowed is allowed: depth, aliases, size up to the limits', () => {
  one('['.repeat(depth) + ']'.repeat(depth))
  one(`a: &a [1, 2]\nb: [${Array(1000).fill('*a').join(', ')}]`)
  one(`a: |\n${'  some text on a line\n'.repeat(20_000)}`)
  one(Array.from({ length: 5000 }, (_, i) => `key-${i}: {a: 1}\n`).join(''))
})
