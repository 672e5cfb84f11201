/** The `filter` of an entry, the same for all types that have an expression filter. */

import { z } from 'zod'
import { quote } from '../core/quote.ts'
import { decode } from './decode.ts'
import type { Filter } from './manifest.ts'
import type { Notes } from './notes.ts'
import type { MapNode, Path } from './tree.ts'

// Looser than what the docs show: a bad `onError` is only warned of, as upstream ignores the field.
const filterSchema = z.object({ expression: z.string().optional(), onError: z.string().optional() })

/** Says what is wrong with an expression, or null. */
export type CheckFilter = (expression: string) => string | null

/** Takes `filter` out of an entry. Upstream checks none of this and then drops every event: so these are warnings. */
export function splitFilter(
  node: MapNode,
  path: Path,
  check: CheckFilter,
  notes: Notes,
): [rest: MapNode, filter: Filter | undefined] {
  const member = node.members.get('filter')
  if (member === undefined) return [node, undefined]
  const rest: MapNode = { ...node, members: new Map(node.members) }
  rest.members.delete('filter')
  if (member.value.kind === 'scalar' && member.value.value === null) return [rest, undefined]
  const at = [...path, 'filter']
  const { value, wrong } = decode(filterSchema, member.value, at, notes)
  if (value === undefined || wrong.length > 0) return [rest, undefined]
  const { expression = '', onError = 'drop' } = value
  const warn = (path: Path, message: string, remedy: string, fatal: boolean) =>
    notes.add({ severity: 'warning', path, message, remedy, fatal })
  if (onError !== 'drop' && onError !== 'publish') {
    warn([...at, 'onError'], `${quote(onError)} acts as "drop"`, 'write drop or publish', false)
  }
  if (expression === '') {
    warn(at, 'a filter without an expression fails for every event', 'write an expression, or remove filter', true)
  } else {
    const wrongWith = check(expression)
    if (wrongWith !== null) warn([...at, 'expression'], wrongWith, 'try it with vedette filter', true)
  }
  return [rest, { expression, onError: onError === 'publish' ? 'publish' : 'drop' }]
}
