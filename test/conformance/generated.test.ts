/** Generated files are what the registry gives today. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { generate, stale } from '../../tools/generate.ts'

const root = path.resolve(import.meta.dirname, '../..')

test('nothing that is generated is stale, missing or left over (else run: node tools/generate.ts)', async () => {
  assert.deepEqual(await stale(await generate()), [])
})

test('a change is noticed', async () => {
  const files = await generate()
  files.set('docs/sources/README.md', `${files.get('docs/sources/README.md')} `)
  files.set('schema/types/nothing.schema.json', '{}')
  files.delete('docs/sources/webhook.md')
  files.delete('examples/webhook.yaml')
  assert.deepEqual(await stale(files), [
    'docs/sources/README.md: stale',
    'docs/sources/webhook.md: left over',
    'examples/webhook.yaml: left over',
    'schema/types/nothing.schema.json: missing',
  ])
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
