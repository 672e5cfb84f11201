/** Buses describe themselves: who uses one asks the registry (`src/buses/index.ts`), and tests no kind by its name. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { busKinds, configKeys, definitionOf, kindOfConfig, makesServers } from '../src/buses/index.ts'
import { loadManifest } from '../src/manifest/load.ts'

const ROOMS = ['controller', 'local', 'manifest', 'pod', 'runtime']
/** What the controller makes of a native bus reads its own spec, by a type that says that it is one. */
const OWN_SPEC = 'jetstream'

const names = [...busKinds, 'embedded', 'memory']
const strings = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g
const quoted = new RegExp(`^['"](?:${names.join('|')})['"]$`)
const member = new RegExp(`\\.(?:${names.filter((name) => name !== OWN_SPEC).join('|')})\\b`)

/** Lines of code, without comments and the names of modules, in which a kind is a value or a member. */
function namingKinds(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  return code.split('\n').filter((line) => {
    const plain = line.replace(/\bfrom '[^']*'|\bimport\('[^']*'\)/g, '')
    return (plain.match(strings) ?? []).some((one) => quoted.test(one)) || member.test(plain.replace(strings, "''"))
  })
}

suite('the kinds of buses', () => {
  const root = fileURLToPath(new URL('../src', import.meta.url))

  for (const room of ROOMS) {
    test(`are not named in src/${room}`, () => {
      const files = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      const product = files.filter((file) => file.endsWith('.ts') && !/\.(test|fixture)\.ts$/.test(file))
      assert.ok(product.length > 0)
      const found = product.flatMap((file) =>
        namingKinds(readFileSync(join(root, room, file), 'utf8')).map((line) => `src/${room}/${file}: ${line.trim()}`),
      )
      assert.deepEqual(found, [])
    })
  }

  test('are found however they are tested', () => {
    for (const line of [
      "if (bus.kind === 'kafka') return",
      'if (kind !== "jetstream") {',
      "  case 'nats':",
      "const OUTSIDE = ['jetstreamExotic', 'other']",
      'return bus.kafka !== undefined',
      'const { url } = spec.jetstreamExotic',
      "const kind = bus.kind === 'embedded' ? '' : host",
      ['what: `a $', "{kind === 'kafka' ? 'topic' : 'stream'}`"].join(''),
    ])
      assert.deepEqual(namingKinds(line), [line])
    for (const line of [
      "import { connectNats } from '../clients/nats.ts'",
      "const bus = await import('../bus/kafka.ts')",
      "// unless kind is 'kafka'",
      "const text = 'write spec.kafka.url'",
      `  '    "jetstream": true,',`,
      'const { version } = bus.spec.jetstream',
    ])
      assert.deepEqual(namingKinds(line), [])
  })
})

suite('the registry of buses', () => {
  test('has each kind under its own name, those first that win in Argo Events', () => {
    for (const kind of busKinds) assert.equal(definitionOf(kind).kind, kind)
    assert.deepEqual(busKinds, ['nats', 'jetstream', 'kafka', 'jetstreamExotic'])
  })

  test('says of one kind alone that the controller makes its servers, whose spec it reads', () => {
    assert.deepEqual(busKinds.filter(makesServers), [OWN_SPEC])
  })

  test('knows what clients are told, and as which kind they open it', () => {
    const opened = configKeys.map((key) => [key, kindOfConfig(key)])
    const expected = { nats: 'nats', jetstream: 'jetstreamExotic', kafka: 'kafka' }
    assert.deepEqual(opened, Object.entries(expected))
  })

  for (const { name, yaml, kind } of busKinds.flatMap((kind) =>
    definitionOf(kind).examples.map((example) => ({ ...example, kind })),
  )) {
    test(`example ${name} is one of its kind, and nothing is wrong with it`, async () => {
      const { manifest, diagnostics, advice } = await loadManifest([{ file: name, text: yaml }])
      assert.deepEqual([...diagnostics, ...advice], [])
      assert.deepEqual(
        manifest.eventBuses.map((bus) => bus.kind),
        [kind],
      )
    })
  }
})
