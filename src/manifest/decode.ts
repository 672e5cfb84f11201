/**
 * A node → the value of a zod schema, as leniently as upstream's decoder: null means absent, unknown fields are warned of
 * and left out, a wrong JSON type is an error. What is wrong in one field does not hide what is wrong in the next.
 */

import type { z } from 'zod'
import { messageOf } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import { describeSchema, type Field } from './fields.ts'
import { nearest } from './near.ts'
import type { Notes } from './notes.ts'
import { kindOf, type Node, nodeAt, type Path } from './tree.ts'

export interface Decoded<T> {
  /** Undefined when it cannot be told; with `wrong` not empty, the value without the wrong fields. */
  value: T | undefined
  /** Paths, from the node, of what had to be left out. */
  wrong: Path[]
}

export function decode<T>(
  schema: z.ZodType<T>,
  node: Node,
  path: Path,
  notes: Notes,
  field: Field = describeSchema(schema),
): Decoded<T> {
  const raw = plain(node, field, path, notes)
  const wrong: Path[] = []
  // Twice at most: as it stands, then without the fields that were wrong.
  for (const attempt of [1, 2]) {
    const result = tryParse(schema, raw)
    if (typeof result === 'string') {
      notes.add({ severity: 'error', path, message: result })
      return { value: undefined, wrong: [[]] }
    }
    if (result.success) return { value: result.data, wrong }
    if (attempt === 2) break
    for (const issue of result.error.issues) {
      const at = issue.path.map((step) => (typeof step === 'number' ? step : String(step)))
      wrong.push(at)
      notes.add({ severity: 'error', path: [...path, ...at], ...issueText(issue, nodeAt(node, at)) })
    }
    if (!wrong.every((at) => remove(raw, at))) break
  }
  return { value: undefined, wrong }
}

/** True when `path` lies in, or contains, something that was wrong: what is said about it is an echo. */
export function echoes(path: Path, wrong: readonly Path[]): boolean {
  return wrong.some((at) => at.every((step, i) => i >= path.length || String(step) === String(path[i])))
}

function tryParse<T>(schema: z.ZodType<T>, raw: unknown): z.ZodSafeParseResult<T> | string {
  try {
    return schema.safeParse(raw)
  } catch (error) {
    return messageOf(error)
  }
}

/** The node as a plain value, nulls as Go decodes them, and a warning for each member that the schema does not know. */
function plain(node: Node, field: Field, path: Path, notes: Notes): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') {
    const item = field.kind === 'list' ? field.item! : unknownField
    return node.items.map((child, i) => zero(child, item) ?? plain(child, item, [...path, i], notes))
  }
  const value: Record<string, unknown> = {}
  for (const [key, { value: child }] of node.members) {
    const known = field.kind === 'map' ? field.item! : field.fields && own(field.fields, key)
    const at = [...path, key]
    if (known === undefined && field.fields !== undefined && field.open !== true) {
      unknownMember(key, Object.keys(field.fields), at, notes)
      continue
    }
    const member = field.kind === 'map' ? zero(child, known!) : undefined
    if (member !== undefined) value[key] = member
    else if (child.kind !== 'scalar' || child.value !== null)
      value[key] = plain(child, known ?? unknownField, at, notes)
  }
  return value
}

const unknownField: Field = { kind: 'any', type: 'any', description: '', required: false, open: true }

/** A null among the items of a list or map is Go's zero value of the item's type. */
function zero(node: Node, item: Field): unknown {
  if (node.kind !== 'scalar' || node.value !== null) return undefined
  return { object: {}, map: {}, string: '' }[item.kind as string]
}

/** Warns of a field that nobody reads. */
export function unknownMember(key: string, known: string[], path: Path, notes: Notes): void {
  const meant = nearest(key, known)
  notes.add({
    severity: 'warning',
    path,
    on: 'key',
    message: `unknown field ${quote(key)}: it is ignored`,
    remedy: meant === undefined ? undefined : `did you mean ${quote(meant)}?`,
  })
}

function issueText(issue: z.core.$ZodIssue, node: Node | undefined): { message: string; remedy?: string } {
  if (issue.code === 'invalid_type') {
    if (node === undefined) return { message: 'is missing' }
    const message = `must be ${article(issue.expected)}, is ${kindOf(node)}`
    const quotable = issue.expected === 'string' && node.kind === 'scalar' && typeof node.value !== 'object'
    return quotable ? { message, remedy: 'put the value in quotes' } : { message }
  }
  if (node === undefined && issue.code === 'invalid_value') return { message: 'is missing' }
  return { message: issue.message.charAt(0).toLowerCase() + issue.message.slice(1) }
}

function article(expected: string): string {
  const words: Record<string, string> = { int: 'an integer', object: 'an object', record: 'an object', array: 'a list' }
  return own(words, expected) ?? `a ${expected}`
}

function own<T>(record: Record<string, T>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** Takes the member at `path` out. False when there is none to take. */
function remove(value: unknown, path: Path): boolean {
  let at: any = value
  for (const step of path.slice(0, -1)) at = at?.[step]
  const last = path.at(-1)
  if (last === undefined || typeof at !== 'object' || at === null || !Object.hasOwn(at, last)) return false
  if (Array.isArray(at)) delete at[Number(last)]
  else delete at[last]
  return true
}
