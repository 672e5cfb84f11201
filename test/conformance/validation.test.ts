/**
 * What Argo Events itself said to 164 specs (test/golden/validation-vectors.jsonl: observed output of its validator). What it
 * refuses is refused here in the same words; what it accepts is no error here. Types of later versions are warned of.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { loadManifest } from '../../src/manifest/load.ts'
import { types } from '../../src/sources/index.ts'

interface Vector {
  kind: 'EventSource' | 'EventBus'
  spec: Record<string, unknown>
  /** Null: valid. */
  error: string | null
}

const golden = path.join(import.meta.dirname, '../golden/validation-vectors.jsonl')
const vectors = readFileSync(golden, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)

const around = new Set(['eventBusName', 'replicas', 'template', 'service', 'unknownField'])
const typesOf = ({ kind, spec }: Vector) =>
  kind === 'EventBus' ? [] : Object.keys(spec).filter((key) => !around.has(key))
const laterTypes = (vector: Vector) => typesOf(vector).filter((type) => !types.includes(type))

async function check({ kind, spec }: Vector) {
  const text = JSON.stringify({ apiVersion: 'argoproj.io/v1alpha1', kind, metadata: { name: 'es1' }, spec })
  return (await loadManifest([{ file: 'vector', text }])).diagnostics
}

test('there are vectors for both kinds and for each type of this version', () => {
  assert.equal(vectors.length, 164)
  for (const type of types)
    assert.ok(
      vectors.some((vector) => typesOf(vector).includes(type)),
      type,
    )
  assert.ok(vectors.filter(({ kind }) => kind === 'EventBus').length >= 10)
})

for (const [index, vector] of vectors.entries()) {
  const later = laterTypes(vector)
  if (later.length > 0) continue
  const name = `vector ${index + 1} (${vector.kind} ${typesOf(vector).join()}): ${vector.error ?? 'valid'}`
  test(name, async () => {
    const errors = (await check(vector)).filter(({ severity }) => severity === 'error')
    if (vector.error === null) assert.deepEqual(errors, [])
    // What crashes upstream's controller is refused, in our own words.
    else if (vector.error.startsWith('PANIC')) assert.notDeepEqual(errors, [])
    else assert.ok(errors.map(({ message }) => message).includes(vector.error), JSON.stringify(errors))
  })
}

test('vectors of types of later versions: a warning for each type, no error', async () => {
  const later = vectors.filter((vector) => laterTypes(vector).length > 0)
  for (const vector of later) {
    const diagnostics = await check(vector)
    assert.ok(
      diagnostics.every(({ severity }) => severity === 'warning'),
      JSON.stringify(diagnostics),
    )
    for (const type of laterTypes(vector)) {
      assert.ok(
        diagnostics.some(({ message, fatal }) => fatal && message === `the type ${type} is not yet in this version`),
      )
    }
  }
})
