import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { describeSchema, fieldAt, members } from './fields.ts'
import { editDistance, nearest } from './near.ts'

const selector = z.object({ name: z.string(), key: z.string(), optional: z.boolean().optional() }).describe('A key.')

test('a schema as fields: kinds, defaults, requirement, descriptions from the outside in', () => {
  const root = describeSchema(
    z.object({
      text: z.string().describe('inner').optional(),
      outer: z.string().describe('inner').optional().describe('outer'),
      count: z.int32().default(3),
      ratio: z.number(),
      flag: z.boolean().prefault(true),
      mode: z.enum(['a', 'b']).readonly(),
      secret: selector.optional(),
      names: z.array(z.string()),
      groups: z.record(z.string(), z.object({ id: z.int() })),
      either: z.union([z.string(), z.int()]),
      mixed: z.union([z.string(), z.object({ a: z.string() })]),
      made: z.preprocess((value) => value, z.array(z.boolean())),
      turned: z.string().transform((text) => text.length),
      open: z.looseObject({ a: z.string() }),
      native: z.unknown(),
    }),
  )
  const shown = Object.entries(root.fields!).map(([name, field]) => [
    name,
    field.type,
    field.required,
    field.default,
    field.description,
  ])
  assert.deepEqual(shown, [
    ['text', 'string', false, undefined, 'inner'],
    ['outer', 'string', false, undefined, 'outer'],
    ['count', 'integer', false, 3, ''],
    ['ratio', 'number', true, undefined, ''],
    ['flag', 'boolean', false, true, ''],
    ['mode', '"a" | "b"', true, undefined, ''],
    ['secret', 'SecretKeySelector', false, undefined, 'A key.'],
    ['names', 'list of string', true, undefined, ''],
    ['groups', 'map of object', true, undefined, ''],
    ['either', 'string or integer', true, undefined, ''],
    ['mixed', 'string or object', true, undefined, ''],
    ['made', 'list of boolean', true, undefined, ''],
    ['turned', 'string', true, undefined, ''],
    ['open', 'object', true, undefined, ''],
    ['native', 'any', true, undefined, ''],
  ])
  assert.equal(root.fields!.open!.open, true)
  assert.equal(fieldAt(root, ['groups', 'id'])?.type, 'integer')
  assert.equal(fieldAt(root, ['groups', 'nothing']), undefined)
  assert.deepEqual(Object.keys(members(root.fields!.groups)!), ['id'])
})

test('recursion ends', () => {
  interface Tree {
    children?: Tree[]
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree).optional() }))
  let field = describeSchema(tree)
  let depth = 0
  while (field.fields?.children?.item !== undefined) {
    field = field.fields.children.item
    depth++
  }
  assert.equal(field.fields?.children?.kind ?? field.kind, 'any')
  assert.ok(depth > 2 && depth < 12)
})

test('what was meant: near names only', () => {
  const names = ['endpoint', 'port', 'method', 'maxPayloadSize']
  for (const [word, meant] of [
    ['endpiont', 'endpoint'],
    ['Endpoint', 'endpoint'],
    ['prot', 'port'],
    ['maxPayload', undefined],
    ['methods', 'method'],
    ['xyz', undefined],
    ['', undefined],
  ]) {
    assert.equal(nearest(word!, names), meant, `${word}`)
  }
  assert.equal(editDistance('ab', 'ba'), 1)
  assert.equal(editDistance('kitten', 'sitting'), 3)
  assert.equal(editDistance('', 'abc'), 3)
  assert.equal(nearest('x'.repeat(1e6), names), undefined)
})
