/**
 * A zod schema as a plain tree of fields: what `explain` and the docs print and what finds unknown fields. Only the shape is
 * taken; the checks stay in zod.
 */
import type { z } from 'zod'

export interface Field {
  kind: 'object' | 'list' | 'map' | 'string' | 'number' | 'integer' | 'boolean' | 'choice' | 'any'
  /** For people: `string`, `list of string`, `map of string`, `"a" | "b"`. */
  type: string
  description: string
  required: boolean
  /** Absent when there is none. */
  default?: unknown
  /** Of an object. */
  fields?: Record<string, Field>
  /** Of a list or map. */
  item?: Field
  /** True for an object that takes any other member too. */
  open?: boolean
}

/** The parts of zod's definitions that are read here (https://zod.dev/library-authors). */
interface Def {
  type: string
  innerType?: Schema
  in?: Schema
  out?: Schema
  element?: Schema
  valueType?: Schema
  shape?: Record<string, Schema>
  catchall?: Schema
  options?: Schema[]
  entries?: Record<string, string | number>
  values?: unknown[]
  defaultValue?: unknown
  getter?: () => Schema
  format?: string
}
interface Schema {
  def: Def
  description?: string
  format?: string | null
  meta?(): { title?: string } | undefined
}

/** Describes `schema`. Recursion through `z.lazy` ends at ten levels with `any`. */
export function describeSchema(schema: z.ZodType): Field {
  return describe(schema as unknown as Schema, 0)
}

function describe(schema: Schema, depth: number): Field {
  const description = schema.description ?? ''
  if (depth > 10) return { kind: 'any', type: 'any', description, required: false }
  const { def } = schema
  const inner = (of: Schema, change: Partial<Field> = {}): Field => {
    const field = describe(of, depth)
    return { ...field, ...change, description: description || field.description }
  }
  const shape = (kind: Field['kind'], type: string, rest: Partial<Field> = {}): Field => ({
    kind,
    type: schema.meta?.()?.title ?? type,
    description,
    required: true,
    ...rest,
  })
  switch (def.type) {
    case 'optional':
    case 'exactOptional':
      return inner(def.innerType!, { required: false })
    case 'default':
    case 'prefault':
      return inner(def.innerType!, { required: false, default: def.defaultValue })
    case 'catch':
    case 'nullable':
    case 'readonly':
    case 'nonoptional':
      return inner(def.innerType!)
    case 'lazy': {
      const field = describe(def.getter!(), depth + 1)
      return { ...field, description: description || field.description }
    }
    case 'pipe':
      // A preprocessing transform says nothing of the shape; what it feeds does.
      return inner(def.in!.def.type === 'transform' ? def.out! : def.in!)
    case 'object': {
      const fields = Object.fromEntries(
        Object.entries(def.shape ?? {}).map(([key, field]) => [key, describe(field, depth + 1)]),
      )
      const open = def.catchall !== undefined && def.catchall.def.type !== 'never'
      return shape('object', isSelector(fields) ? 'SecretKeySelector' : 'object', { fields, open })
    }
    case 'array': {
      const item = describe(def.element!, depth + 1)
      return shape('list', `list of ${item.type}`, { item })
    }
    case 'record':
    case 'map': {
      const item = describe(def.valueType!, depth + 1)
      return shape('map', `map of ${item.type}`, { item })
    }
    case 'enum':
      return shape('choice', Object.values(def.entries!).map(literal).join(' | '))
    case 'literal':
      return shape('choice', def.values!.map(literal).join(' | '))
    case 'union':
      return union(
        def.options!.map((option) => describe(option, depth + 1)),
        shape,
      )
    case 'string':
    case 'boolean':
      return shape(def.type, def.type)
    case 'template_literal':
      return shape('string', 'string')
    case 'number':
    case 'int':
      return /int/.test(schema.format ?? '') ? shape('integer', 'integer') : shape('number', 'number')
    default:
      return shape('any', 'any')
  }
}

function union(options: Field[], shape: (kind: Field['kind'], type: string, rest?: Partial<Field>) => Field): Field {
  const type = [...new Set(options.map((option) => option.type))].join(' or ')
  const structured = options.find((option) => option.kind === 'object')
  if (structured !== undefined) {
    return shape('object', type, { fields: structured.fields, open: options.length > 1 || structured.open === true })
  }
  const isText = ({ kind, type }: Field) => kind === 'string' || (kind === 'choice' && type.startsWith('"'))
  if (options.every(isText)) return shape('string', type)
  return shape(options.every(({ kind }) => kind === 'choice') ? 'choice' : 'any', type)
}

/** `{name, key, optional}`: a reference to one key of a Secret (or ConfigMap). */
function isSelector(fields: Record<string, Field>): boolean {
  return Object.keys(fields).sort().join() === 'key,name,optional'
}

function literal(value: unknown): string {
  return JSON.stringify(value)
}

/** The field at a dotted path (`tls.caCertSecret`), through lists and maps; undefined when there is none. */
export function fieldAt(root: Field, path: readonly string[]): Field | undefined {
  let field: Field | undefined = root
  for (const step of path) field = members(field)?.[step]
  return field
}

/** The fields one level down, those of the items for lists and maps. */
export function members(field: Field | undefined): Record<string, Field> | undefined {
  let at = field
  while (at?.item !== undefined) at = at.item
  return at?.fields
}
