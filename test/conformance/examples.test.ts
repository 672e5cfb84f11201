/** Our examples are flawless, those in the docs too; upstream's give no errors (its types that are not here yet give warnings). The JSON Schema takes all. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { diagnosticLine, loadManifest, readManifestFiles } from '../../src/manifest/load.ts'
import { plainValue } from '../../src/manifest/tree.ts'
import { parseYaml } from '../../src/manifest/yaml.ts'
import { types } from '../../src/sources/index.ts'

const root = path.resolve(import.meta.dirname, '../..')
const upstream = path.resolve(root, '../shared/data/upstream')

const schema = z.fromJSONSchema(JSON.parse(readFileSync(path.join(root, 'schema/eventsource.schema.json'), 'utf8')))

/** Reads a file, whose EventSources the schema takes. */
async function check(file: string) {
  const files = await readManifestFiles([file])
  for (const document of parseYaml(files[0]!.text).documents) {
    const object = plainValue(document) as { kind: string }
    if (object.kind === 'EventSource') assert.deepEqual(schema.safeParse(object).error?.issues, undefined)
  }
  return await loadManifest(files)
}

const ours = readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.yaml'))
test('there is an example of each type of this version', async () => {
  const used = new Set<string>()
  for (const name of ours) {
    const { manifest } = await check(path.join(root, 'examples', name))
    for (const { entries } of manifest.eventSources) for (const { type } of entries) used.add(type)
  }
  assert.deepEqual([...used].sort(), [...types].sort())
})

for (const name of ours) {
  test(`examples/${name} has neither errors nor warnings`, async () => {
    const { manifest, diagnostics } = await check(path.join(root, 'examples', name))
    assert.deepEqual(diagnostics.map(diagnosticLine), [])
    assert.ok(manifest.eventSources.length > 0)
  })
}

for (const file of globSync(['README.md', 'docs/**/*.md'], { cwd: root })) {
  const blocks = [...readFileSync(path.join(root, file), 'utf8').matchAll(/^```yaml\n(.*?)^```/gms)].map(
    ([, text]) => text!,
  )
  const manifests = blocks.filter((text) => /^kind: Event(Source|Bus)$/m.test(text))
  if (manifests.length === 0) continue
  test(`${file}: its EventSources and EventBuses have neither errors nor warnings`, async () => {
    for (const text of manifests) {
      const { diagnostics } = await loadManifest([{ file, text }])
      assert.deepEqual(diagnostics.map(diagnosticLine), [])
    }
  })
}

for (const folder of ['event-sources', 'eventbus']) {
  const directory = path.join(upstream, folder)
  const skip = existsSync(directory) ? false : "upstream's examples are not at ../shared/data/upstream"
  if (skip && process.env.VEDETTE_REQUIRE !== 'all') {
    test(`upstream's examples/${folder} have no errors`, { skip }, () => {})
    continue
  }
  for (const name of readdirSync(directory).filter((name) => name.endsWith('.yaml'))) {
    test(`upstream's examples/${folder}/${name} has no errors`, async () => {
      const { manifest, diagnostics } = await check(path.join(directory, name))
      assert.deepEqual(diagnostics.filter(({ severity }) => severity === 'error').map(diagnosticLine), [])
      assert.equal(manifest.eventSources.length + manifest.eventBuses.length, 1)
      for (const { entries } of manifest.eventSources) {
        assert.ok(entries.length > 0)
        // What is here is served as upstream's example has it; the rest says that it is not.
        for (const { type, refused } of entries)
          assert.equal(refused === undefined, types.includes(type), `${type}: ${refused}`)
      }
    })
  }
}
