/**
 * A type's fields for people: its schema, with `required` where leaving the field out is refused. Schemas are as lenient as
 * upstream's decoder, so that is found out by trying: a field is required when every example of the type has it and its
 * rules refuse the example without it.
 */
import type { SourceDefinition } from '../source.ts'
import { describeSchema, type Field, members } from './fields.ts'
import { nodeAt, plainValue } from './tree.ts'
import { parseYaml } from './yaml.ts'

/** @param definition one whose examples are valid */
export function describeSource(definition: SourceDefinition<any, any>): Field {
  const field = describeSchema(definition.spec)
  const specs = exampleSpecs(definition)
  if (specs.length > 0) markRequired(field, [], definition, specs)
  return field
}

/** The entries of this type in the type's examples, as written. */
export function exampleSpecs({ type, examples }: SourceDefinition<any, any>): Record<string, unknown>[] {
  return examples.flatMap(({ yaml }) =>
    parseYaml(yaml).documents.flatMap((document) => {
      const entries = nodeAt(document, ['spec', type])
      return entries === undefined ? [] : (Object.values(plainValue(entries) as object) as Record<string, unknown>[])
    }),
  )
}

function markRequired(
  field: Field,
  path: string[],
  definition: SourceDefinition<any, any>,
  specs: Record<string, unknown>[],
): void {
  // Items of lists and maps have no fixed place to leave something out of.
  for (const [name, child] of Object.entries(field.fields ?? {})) {
    const at = [...path, name]
    const having = specs.filter((spec) => holderOf(spec, at.slice(0, -1)) !== undefined)
    child.required = having.length > 0 && having.every((spec) => refusedWithout(definition, spec, at))
    if (members(child) !== undefined) markRequired(child, at, definition, specs)
  }
}

function refusedWithout(
  definition: SourceDefinition<any, any>,
  spec: Record<string, unknown>,
  path: string[],
): boolean {
  const name = path.at(-1)!
  const copy = structuredClone(spec)
  const holder = holderOf(copy, path.slice(0, -1))
  if (holder === undefined || !Object.hasOwn(holder, name)) return false
  delete holder[name]
  const parsed = definition.spec.safeParse(copy)
  if (!parsed.success) return true
  return (definition.validate?.(parsed.data) ?? []).some(
    ({ severity, fatal }) => severity === 'error' || fatal === true,
  )
}

function holderOf(spec: Record<string, unknown>, path: string[]): Record<string, unknown> | undefined {
  let at: unknown = spec
  for (const step of path) at = (at as Record<string, unknown> | undefined)?.[step]
  return typeof at === 'object' && at !== null && !Array.isArray(at) ? (at as Record<string, unknown>) : undefined
}
