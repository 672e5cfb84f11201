/** zod → JSON Schema (draft 2020-12), for editors. As lenient as upstream: unknown fields pass, other types are any object. */
import { z } from 'zod'
import { describeSource } from '../../src/manifest/describe.ts'
import { eventSourceFields } from '../../src/manifest/eventsource.ts'
import type { Field } from '../../src/manifest/fields.ts'
import type { SourceDefinition } from '../../src/source.ts'
import { upstreamTypes } from '../../src/sources/index.ts'

type JsonSchema = Record<string, any>

const DRAFT = 'https://json-schema.org/draft/2020-12/schema'

/** One entry of a type. */
export function typeSchema(definition: SourceDefinition<any, any>): JsonSchema {
  return { $schema: DRAFT, ...bare(definition) }
}

/** The whole EventSource document, all types of this version in it. */
export function eventSourceSchema(definitions: SourceDefinition<any, any>[]): JsonSchema {
  const { properties } = fromZod(eventSourceFields)
  const types: [string, JsonSchema][] = definitions.map(({ type, summary }) => [
    type,
    { description: summary, type: 'object', additionalProperties: { $ref: `#/$defs/${type}` } },
  ])
  const others = upstreamTypes.filter((type) => !definitions.some((definition) => definition.type === type))
  for (const type of others) types.push([type, { description: 'Not yet in this version.', type: 'object' }])
  types.sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    $schema: DRAFT,
    title: 'EventSource',
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      apiVersion: { const: 'argoproj.io/v1alpha1' },
      kind: { const: 'EventSource' },
      metadata: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          namespace: { type: 'string', default: 'default' },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
          annotations: { type: 'object', additionalProperties: { type: 'string' } },
        },
      },
      spec: { type: 'object', properties: { ...properties, ...Object.fromEntries(types) } },
      status: { type: 'object' },
    },
    $defs: Object.fromEntries(definitions.map((definition) => [definition.type, bare(definition)])),
  }
}

function bare(definition: SourceDefinition<any, any>): JsonSchema {
  const schema = fromZod(definition.spec)
  addRequired(schema, describeSource(definition))
  return { title: definition.title, description: definition.summary, ...schema }
}

function fromZod(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...bare } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  // A reference would point into the wrong document once this is embedded.
  if (JSON.stringify(bare).includes('"$ref"'))
    throw new Error('a schema must not need $ref: remove its meta id or lazy')
  return bare
}

/** The schemas leave everything optional, as upstream's decoder does; what the rules demand is added here. */
function addRequired(schema: JsonSchema, field: Field): void {
  if (field.fields === undefined || schema.properties === undefined) return
  const required = Object.keys(field.fields).filter((name) => field.fields![name]!.required)
  if (required.length > 0) schema.required = required
  // What the decoder fills in for a missing field is no default that anyone could use.
  for (const name of required) delete schema.properties[name]?.default
  for (const [name, child] of Object.entries(field.fields)) addRequired(schema.properties[name] ?? {}, child)
}
