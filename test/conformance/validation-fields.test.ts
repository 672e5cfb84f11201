/** Every field of upstream's JSON Schema is known here, so that no valid manifest is warned of. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { eventBusFields } from '../../src/manifest/eventbus.ts'
import { eventSourceFields } from '../../src/manifest/eventsource.ts'
import { describeSchema, type Field } from '../../src/manifest/fields.ts'
import { loadSource, types, upstreamTypes } from '../../src/sources/index.ts'

type Schema = { $ref?: string; properties?: Record<string, Schema>; items?: Schema; additionalProperties?: Schema }

const file = path.resolve(import.meta.dirname, '../../../shared/data/upstream/schema.json')
const missing = !existsSync(file) && process.env.VEDETTE_REQUIRE !== 'all'
const options = { skip: missing ? "upstream's schema.json is not at ../shared/data/upstream" : false }
const definitions: Record<string, Schema> = missing ? {} : JSON.parse(readFileSync(file, 'utf8')).definitions
const OURS = '#/definitions/io.argoproj.events.v1alpha1.'
const definition = (name: string) => definitions[`io.argoproj.events.v1alpha1.${name}`]!

/** Paths that upstream has and `field` has not. Kubernetes' own structures are not entered. */
function unknown(schema: Schema, field: Field | undefined, at: string): string[] {
  if (field === undefined) return [at]
  if (schema.$ref?.startsWith(OURS)) return unknown(definitions[schema.$ref.slice('#/definitions/'.length)]!, field, at)
  const below = schema.items ?? schema.additionalProperties
  if (below !== undefined) return field.item === undefined ? [] : unknown(below, field.item, `${at}[]`)
  if (field.kind === 'any') return []
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
    unknown(child, field.fields?.[name], `${at}.${name}`),
  )
}

/** Fields of `spec` that upstream does not have: docs/differences.md lists them. */
const OWN_FIELDS = ['revisionHistoryLimit']

test('the types are those of the schema', options, () => {
  const keys = Object.keys(definition('EventSourceSpec').properties!)
  const around = Object.keys(eventSourceFields.shape)
  assert.deepEqual(keys.filter((key) => !around.includes(key)).sort(), [...upstreamTypes].sort())
  assert.deepEqual(
    around.filter((key) => !keys.includes(key)),
    OWN_FIELDS,
  )
})

test('the fields around the types', options, () => {
  const { properties } = definition('EventSourceSpec')
  const field = describeSchema(eventSourceFields)
  for (const name of Object.keys(field.fields!).filter((name) => !OWN_FIELDS.includes(name))) {
    assert.deepEqual(unknown(properties![name]!, field.fields![name], name), [])
  }
})

for (const type of types) {
  test(`the fields of ${type}`, options, async () => {
    const { spec } = (await loadSource(type))!
    const schema = definition('EventSourceSpec').properties![type]!.additionalProperties!
    assert.deepEqual(unknown(schema, describeSchema(spec), type), [])
  })
}

test('the fields of EventBus', options, () => {
  assert.deepEqual(unknown(definition('EventBusSpec'), describeSchema(eventBusFields), 'spec'), [])
})

test('a field that is missing here is found', options, () => {
  const field = describeSchema(eventBusFields)
  delete field.fields!.kafka!.fields!.sasl!.fields!.mechanism
  assert.deepEqual(unknown(definition('EventBusSpec'), field, 'spec'), ['spec.kafka.sasl.mechanism'])
})
