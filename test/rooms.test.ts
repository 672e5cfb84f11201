/** Holds the shape of `src`: who may import whom, no cycles, small files, and what only some may touch. CONTRIBUTING.md says why. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** A room imports itself and the rooms before it. */
const ROOMS = [
  'core',
  'filter',
  'clients',
  'kube',
  'source.ts',
  'bus',
  'ha',
  'buses',
  'sources',
  'manifest',
  'runtime',
  'api',
  'local',
  'pod',
  'controller',
  'cli',
]
/** Folders of `sources` that no type has: what two or more of them need, named after what it is. */
const GROUNDS = ['aws', 'connections', 'go', 'hooks', 'http', 'payload', 'queues', 'states']
const MOST_LINES = 400

/**
 * What a file takes from the machine or the process by itself, instead of being handed it, and where it may: a file, or a folder
 * with its slash, and why.
 */
const RULES: Record<string, { is: RegExp; may: Record<string, string> }> = {
  timer: {
    is: /(?<![.\w])(setTimeout|setInterval|setImmediate)\b|['"](node:)?timers/,
    may: { 'core/clock.ts': 'the machine’s clock is made of them' },
  },
  clock: {
    is: /\bDate\.now\b|\bnew Date(?!\w|\()|\bnew Date\(\s*\)|(?<!new )(?<![.\w])Date\(|\bperformance\.|\bprocess\.(hrtime|uptime)\b|['"](node:)?perf_hooks/,
    may: { 'core/clock.ts': 'the machine’s clock is made of them' },
  },
  environment: {
    is: /\bprocess\.env\b|\benv\b[^;\n]*\bfrom ['"](node:)?process['"]/,
    may: {
      'cli/': 'what a user or a Pod is started with',
      'local/host.ts': 'a process of its own: its time zone',
      'bus/embedded/main.ts': 'a process of its own: its options, where they are too long for an argument',
      'kube/configuration.ts':
        'KUBECONFIG and a Pod’s KUBERNETES_SERVICE_HOST, as every client of Kubernetes reads them',
      'sources/azureEventsHub/tokens.ts': 'AZURE_…, by which every client of Entra ID finds its identity',
      'sources/pubSub/client.ts': 'PUBSUB_EMULATOR_HOST, as every client of Pub/Sub reads it',
    },
  },
  exit: {
    is: /\bprocess\.(exit|exitCode|abort|reallyExit)\b|\bprocess\.kill\(\s*process\.pid\b/,
    may: {
      'cli/': 'the exit code is what a command says to scripts',
      'local/host.ts': 'a process of its own',
      'bus/embedded/main.ts': 'a process of its own',
      'bus/embedded/check-child.ts': 'a process of its own',
      'bus/embedded/reading-child.ts': 'a process of its own',
    },
  },
}

/** Path from `src` to its text. */
type Files = ReadonlyMap<string, string>

const isTest = (path: string) => /\.(test|fixture)\.ts$/.test(path)
/** `source.ts` and its folder are one room. */
const roomOf = (path: string) => path.split('/')[0]!.replace(/^source$/, 'source.ts')

/**
 * The relative modules that a text imports, as paths from `src`.
 * @param types whether to count `import type`, which is gone when the code runs
 */
function importsOf(path: string, text: string, { types = true } = {}): string[] {
  const plain = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const code = types ? plain : plain.replace(/\b(import|export) type\b[^'"`;]*?\bfrom\s*['"][^'"]+['"]/g, '')
  const specifiers = code.matchAll(
    /(?:^|[;}\n])\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]/gm,
  )
  return Array.from(specifiers, ([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier)))
}

function graphOf(files: Files, options?: { types: boolean }): Map<string, string[]> {
  return new Map(
    [...files].filter(([path]) => !isTest(path)).map(([path, text]) => [path, importsOf(path, text, options)] as const),
  )
}

/** Why `from` may not import `to`, or null. */
function forbidden(from: string, to: string): string | null {
  const [room, other] = [roomOf(from), roomOf(to)]
  if (to.startsWith('..')) return other === '..' && to === '../package.json' ? null : 'it is outside src'
  if (isTest(to)) return 'only tests import tests'
  const [at, otherAt] = [ROOMS.indexOf(room), ROOMS.indexOf(other)]
  if (at < 0) return `room ${room} is not in the list of test/rooms.test.ts`
  if (otherAt < 0) return `room ${other} is not in the list of test/rooms.test.ts`
  if (otherAt > at) return `${other} is below ${room}`
  if (room === 'sources') {
    if (other === 'bus' || other === 'ha' || other === 'buses') return 'a source knows neither bus nor election'
    const [type, target] = [typeOf(from), typeOf(to)]
    if (other === 'sources' && type !== 'index' && !GROUNDS.includes(target) && type !== target) {
      return `what two sources need belongs into one of sources/{${GROUNDS.join()}}`
    }
  }
  if (other === 'sources' && room !== 'sources' && to !== 'sources/index.ts') {
    return 'other rooms know the registry of sources; what they need besides stands in source/'
  }
  if (other === 'buses' && room !== 'buses' && to !== 'buses/index.ts') return 'other rooms know the registry of buses'
  if (room === 'ha' && !/^ha\/(locks|peers)\//.test(from)) {
    if (other !== 'core' && other !== 'ha') return 'the election is pure: it knows core only'
    if (/^ha\/(locks|peers)\//.test(to)) return 'the election is handed its adapters'
  }
  return null
}

/** `file` for both `sources/file.ts` and `sources/file/scan.ts`. */
function typeOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '')
}

function violations(files: Files): string[] {
  return [...graphOf(files)].flatMap(([from, targets]) =>
    targets.flatMap((to) => {
      const why = forbidden(from, to)
      return why === null ? [] : [`src/${from} imports src/${to}: ${why}`]
    }),
  )
}

/** Each cycle once, as the list of its files. Types may refer to each other: nothing depends on their order. */
function cycles(files: Files): string[] {
  const graph = graphOf(files, { types: false })
  const found = new Set<string>()
  const state = new Map<string, 'open' | 'done'>()
  const trail: string[] = []
  const visit = (path: string) => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      const ring = trail.slice(trail.indexOf(path))
      const first = ring.indexOf(ring.toSorted()[0]!)
      found.add([...ring.slice(first), ...ring.slice(0, first)].join(' → '))
      return
    }
    state.set(path, 'open')
    trail.push(path)
    for (const next of graph.get(path) ?? []) visit(next)
    trail.pop()
    state.set(path, 'done')
  }
  for (const path of graph.keys()) visit(path)
  return [...found]
}

/** The text with its comments emptied, so that lines keep their numbers. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ''))

const isAt = (path: string, place: string) => (place.endsWith('/') ? path.startsWith(place) : path === place)

/** What files take by themselves and may not. */
function taken(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    if (isTest(path)) return []
    const rules = Object.entries(RULES).filter(([, { may }]) => !Object.keys(may).some((place) => isAt(path, place)))
    return withoutComments(text)
      .split('\n')
      .flatMap((line, i) =>
        rules.filter(([, { is }]) => is.test(line)).map(([rule]) => `src/${path}:${i + 1}: ${rule}`),
      )
  })
}

/** Places of the rules that nothing needs. */
function idle(files: Files): string[] {
  return Object.entries(RULES).flatMap(([rule, { is, may }]) =>
    Object.keys(may)
      .filter(
        (place) =>
          ![...files].some(([path, text]) => !isTest(path) && isAt(path, place) && is.test(withoutComments(text))),
      )
      .map((place) => `${rule}: ${place}`),
  )
}

function tooLong(files: Files): string[] {
  return [...files]
    .map(([path, text]) => [path, text.replace(/\n$/, '').split('\n').length] as const)
    .filter(([path, lines]) => !isTest(path) && lines > MOST_LINES)
    .map(([path, lines]) => `src/${path} has ${lines} lines`)
}

suite('the rooms of src', () => {
  const root = fileURLToPath(new URL('../src', import.meta.url))
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  const files: Files = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))

  test('are all read, with their imports', () => {
    assert.ok(files.size > 20)
    const imports = [...graphOf(files).values()].flat().length
    assert.ok(imports > files.size, `${imports} imports in ${files.size} files`)
  })
  test('what types share is no type, and is not empty', () => {
    const types = paths.map((path) => /^sources\/(\w+)\.ts$/.exec(path)?.[1]).filter((type) => type !== undefined)
    const folders = new Set(
      paths.map((path) => /^sources\/(\w+)\//.exec(path)?.[1]).filter((name) => name !== undefined),
    )
    assert.deepEqual([...folders].filter((name) => !types.includes(name)).sort(), GROUNDS)
  })
  test('a room imports only rooms above it', () => assert.deepEqual(violations(files), []))
  test('no file imports itself by way of others', () => assert.deepEqual(cycles(files), []))
  test('timers, clock, environment and exit are taken only where they may be', () => assert.deepEqual(taken(files), []))
  test('every such place is needed', () => assert.deepEqual(idle(files), []))
  test(`no file is longer than ${MOST_LINES} lines`, () => assert.deepEqual(tooLong(files), []))
})

suite('the check itself', () => {
  const files = (texts: Record<string, string>): Files => new Map(Object.entries(texts))
  const one = (path: string, text: string) => violations(files({ [path]: text }))

  test('finds every way to import', () => {
    const text = `import a from './a.ts'
import type { B } from './b.ts'
import {
  c,
  d,
} from '../c.ts'
import './d.ts'
export { e } from './e.ts'
export * from './f.ts'
const g = await import('./g.ts')
type H = import('./h.ts').H
// import x from './no1.ts'
/* import y from './no2.ts' */
import fs from 'node:fs'
`
    const found = importsOf('core/x.ts', text)
    assert.deepEqual(found, [
      'core/a.ts',
      'core/b.ts',
      'c.ts',
      'core/d.ts',
      'core/e.ts',
      'core/f.ts',
      'core/g.ts',
      'core/h.ts',
    ])
  })

  test('refuses what the rooms forbid', () => {
    for (const [path, target] of [
      ['core/x.ts', '../filter/y.ts'],
      ['source.ts', './bus/bus.ts'],
      ['sources/x.ts', '../bus/bus.ts'],
      ['sources/x/y.ts', '../../ha/lock.ts'],
      ['sources/x.ts', './z.ts'],
      ['sources/x.ts', '../runtime/y.ts'],
      ['sources/hooks/x.ts', '../z.ts'],
      ['runtime/x.ts', '../sources/hooks/y.ts'],
      ['ha/x.ts', '../bus/bus.ts'],
      ['ha/x.ts', './locks/y.ts'],
      ['ha/locks/x.ts', '../../sources/y.ts'],
      ['runtime/x.ts', '../cli/y.ts'],
      ['pod/x.ts', '../buses/kafka.ts'],
      ['buses/x.ts', '../manifest/y.ts'],
      ['cli/x.ts', '../../test/harness.ts'],
      ['cli/x.ts', './y.test.ts'],
      ['elsewhere/x.ts', '../core/y.ts'],
    ] as const) {
      assert.equal(one(path, `import { a } from '${target}'\n`).length, 1, `${path} imports ${target}`)
    }
  })

  test('lets through what they allow', () => {
    for (const [path, target] of [
      ['sources/x.ts', '../source.ts'],
      ['sources/x.ts', './x/y.ts'],
      ['sources/x/y.ts', '../queues/z.ts'],
      ['sources/hooks/y.ts', '../http/z.ts'],
      ['runtime/x.ts', '../sources/index.ts'],
      ['sources/index.ts', './x.ts'],
      ['ha/locks/x.ts', '../../bus/bus.ts'],
      ['buses/x.ts', '../ha/locks/y.ts'],
      ['pod/x.ts', '../buses/index.ts'],
      ['ha/x.ts', '../core/y.ts'],
      ['cli/x.ts', '../core/y.ts'],
      ['core/x.test.ts', '../../test/harness.ts'],
    ] as const) {
      assert.deepEqual(one(path, `import { a } from '${target}'\n`), [])
    }
  })

  test('finds what a file takes by itself', () => {
    for (const [rule, ...lines] of [
      [
        'timer',
        'setTimeout(fn, 5)',
        'const t = setInterval(fn, 5)',
        'await new Promise((done) => setImmediate(done))',
        "import { setTimeout as pause } from 'node:timers/promises'",
      ],
      ['clock', 'const now = Date.now()', 'new Date()', 'new Date', 'at: performance.now()', 'process.hrtime.bigint()'],
      ['environment', 'const { HOME } = process.env', "import { argv, env } from 'node:process'"],
      ['exit', 'process.exit(1)', 'process.exitCode = 2', 'process.abort()', "process.kill(process.pid, 'SIGKILL')"],
    ] as const) {
      for (const line of lines) {
        assert.deepEqual(taken(files({ 'runtime/x.ts': `\n${line}\n` })), [`src/runtime/x.ts:2: ${rule}`], line)
        assert.deepEqual(taken(files({ 'runtime/x.test.ts': line })), [], `a test: ${line}`)
        const place = Object.keys(RULES[rule]!.may)[0]!.replace(/\/$/, '/x.ts')
        assert.deepEqual(taken(files({ [place]: line })), [], `${place}: ${line}`)
      }
      assert.ok(idle(files({})).some((place) => place.startsWith(rule)))
    }
    for (const line of [
      'socket.setTimeout(2000)',
      '/* setTimeout(fn, 5)\n Date.now() */',
      ' * process.exit(1)'.replace(' *', ' //'),
      'new Date(clock.now())',
      'new Date(\n  at,\n)',
      'const { env } = options',
      "process.on('exit', flush)",
    ]) {
      assert.deepEqual(taken(files({ 'runtime/x.ts': line })), [], line)
    }
  })

  test('finds cycles, once each, and long files', () => {
    const ring = files({
      'core/a.ts': "import './b.ts'",
      'core/b.ts': "import './c.ts'",
      'core/c.ts': "import './a.ts'",
      'core/d.ts': "import './c.ts'",
    })
    assert.deepEqual(cycles(ring), ['core/a.ts → core/b.ts → core/c.ts'])
    const typesOnly = files({
      'core/a.ts': "import { b } from './b.ts'",
      'core/b.ts': "import type { A } from './a.ts'",
    })
    assert.deepEqual(cycles(typesOnly), [])
    assert.deepEqual(tooLong(files({ 'core/a.ts': 'x\n'.repeat(400), 'core/b.ts': 'x\n'.repeat(401) })), [
      'src/core/b.ts has 401 lines',
    ])
  })
})
