/** Generated files are what the registry gives today. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { plainValue } from '../../src/manifest/tree.ts'
import { parseYaml } from '../../src/manifest/yaml.ts'
import { generate, stale } from '../../tools/generate.ts'

const root = path.resolve(import.meta.dirname, '../..')

test('nothing that is generated is stale, missing or left over (else run: node tools/generate.ts)', async () => {
  assert.deepEqual(await stale(await generate()), [])
})

test('a change is noticed', async () => {
  const files = await generate()
  files.set('docs/sources/README.md', `${files.get('docs/sources/README.md')} `)
  files.set('docs/differences.md', files.get('docs/differences.md')!.replace('512', '128'))
  files.set('schema/types/nothing.schema.json', '{}')
  files.delete('docs/sources/webhook.md')
  files.delete('examples/webhook.yaml')
  assert.deepEqual(await stale(files), [
    'docs/differences.md: stale',
    'docs/sources/README.md: stale',
    'docs/sources/webhook.md: left over',
    'examples/webhook.yaml: left over',
    'schema/types/nothing.schema.json: missing',
  ])
})

test('the JSON Schema takes every example, and refuses wrong types and missing fields', async () => {
  const files = await generate()
  const schema = z.fromJSONSchema(JSON.parse(files.get('schema/eventsource.schema.json')!))
  let taken = 0
  for (const [file, text] of files) {
    if (!file.startsWith('examples/')) continue
    for (const document of parseYaml(text).documents) {
      const value = plainValue(document) as { kind: string }
      if (value.kind !== 'EventSource') continue
      assert.deepEqual(schema.safeParse(value).error?.issues, undefined, file)
      taken++
    }
  }
  assert.ok(taken >= 3)
  const object = (entry: object, type = 'webhook') => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    metadata: { name: 'a' },
    spec: { [type]: { e: entry } },
  })
  const good = { port: '1', endpoint: '/x', method: 'POST' }
  assert.equal(schema.safeParse(object(good)).success, true)
  assert.equal(schema.safeParse(object({ ...good, port: 1 })).success, false)
  assert.equal(schema.safeParse(object({ ...good, endpoint: undefined })).success, false)
  // What the examples have, and others have in another way.
  const otherWays: [type: string, entry: object][] = [
    ['kafka', { url: 'b:9092', topic: 't', partition: '1' }],
    ['github', { webhook: good, owner: 'acme', repository: 'shop' }],
    ['bitbucket', { webhook: good, owner: 'acme', repositorySlug: 'shop', auth: {} }],
    ['sqs', { region: 'r', queue: 'q' }],
    ['stripe', { webhook: good }],
  ]
  for (const [type, entry] of otherWays) assert.equal(schema.safeParse(object(entry, type)).success, true, type)
  assert.equal(schema.safeParse(object({ url: 'b:9092' }, 'kafka')).success, false)
})

test('links between docs pages lead somewhere', async () => {
  const files = await generate()
  const broken: string[] = []
  for (const [file, text] of files) {
    if (!file.endsWith('.md')) continue
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
      const wanted = path.join(path.dirname(file), target!)
      if (!files.has(wanted) && !exists(wanted)) broken.push(`${file} → ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

function exists(file: string): boolean {
  try {
    readFileSync(path.join(root, file))
    return true
  } catch {
    return false
  }
}
