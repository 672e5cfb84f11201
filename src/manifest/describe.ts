/**
 * A type's fields for people: its schema, with `required` where leaving the field out is refused. Schemas are as lenient as
 * upstream's decoder, so that is found out by trying: a field is required when every example of the type has it and its
 * rules refuse the example without it, and there is no other way either: without another field as well, or with one or
 * two others in its place.
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
    child.required = having.length > 0 && having.every((spec) => isNeeded(definition, spec, at))
    if (members(child) !== undefined) markRequired(child, at, definition, specs)
  }
}

function isNeeded(definition: SourceDefinition<any, any>, spec: Record<string, unknown>, path: string[]): boolean {
  const name = path.at(-1)!
  const copy = structuredClone(spec)
  const holder = holderOf(copy, path.slice(0, -1))
  if (holder === undefined || !Object.hasOwn(holder, name)) return false
  delete holder[name]
  return [copy, ...otherWays(definition, copy, path[0]!)].every((one) => isRefused(definition, one))
}

/** @param spec one that lacks something of the field `of` */
function* otherWays(
  definition: SourceDefinition<any, any>,
  spec: Record<string, unknown>,
  of: string,
): Generator<Record<string, unknown>> {
  for (const name of Object.keys(spec).filter((name) => name !== of)) {
    const { [name]: _, ...less } = spec
    yield less
  }
  const fields = Object.entries(describeSchema(definition.spec).fields ?? {})
  const absent = fields.filter(([name, { kind }]) => kind === 'string' && name !== of && !Object.hasOwn(spec, name))
  const names = absent.map(([name]) => name)
  for (const [i, one] of names.entries())
    for (const other of names.slice(i)) yield { ...spec, [one]: '1', [other]: '1' }
}

function isRefused(definition: SourceDefinition<any, any>, spec: Record<string, unknown>): boolean {
  const parsed = definition.spec.safeParse(spec)
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
