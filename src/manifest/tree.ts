/**
 * A YAML document as a tree of plain values that remember where they stand: what the checks walk, so that every mistake
 * can name its place. Aliases share nodes.
 */
import { quote } from '../core/quote.ts'

export type Scalar = string | number | boolean | null

interface NodeBase {
  /** Offset of the value's first character in the file. */
  at: number
  /** How many nodes it stands for, aliased ones as often as they are used. */
  size: number
  /** Levels of nesting in it; a scalar has 0. */
  height: number
}

export interface ScalarNode extends NodeBase {
  kind: 'scalar'
  value: Scalar
}

export interface ListNode extends NodeBase {
  kind: 'list'
  items: Node[]
}

export interface Member {
  /** Offset of the key. */
  keyAt: number
  value: Node
}

export interface MapNode extends NodeBase {
  kind: 'map'
  members: Map<string, Member>
}

export type Node = ScalarNode | ListNode | MapNode

/** Keys and list indexes from the root of a document. */
export type Path = readonly (string | number)[]

/** The node at `path`, or undefined. */
export function nodeAt(root: Node, path: Path): Node | undefined {
  let node: Node | undefined = root
  for (const step of path) {
    if (node?.kind === 'map') node = node.members.get(String(step))?.value
    else if (node?.kind === 'list') node = node.items[Number(step)]
    else return undefined
  }
  return node
}

/**
 * Where to point for a finding on `path`: a written scalar itself, the key of anything else; for what is missing, the key
 * of the nearest parent that is there.
 * @param on `key` points at the key also for scalars (the key itself is the mistake)
 */
export function offsetOf(root: Node, path: Path, on: 'key' | 'value' = 'value'): number {
  let node: Node = root
  let keyAt = root.at
  for (const step of path) {
    const member: Member | undefined = memberOf(node, step)
    if (member === undefined) return keyAt
    keyAt = member.keyAt
    node = member.value
  }
  return on === 'value' && node.kind === 'scalar' && node.value !== null ? node.at : keyAt
}

function memberOf(node: Node, step: string | number): Member | undefined {
  if (node.kind === 'map') return node.members.get(String(step))
  const item = node.kind === 'list' ? node.items[Number(step)] : undefined
  return item && { keyAt: item.at, value: item }
}

/** A fresh plain value: objects, arrays, scalars. */
export function plainValue(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainValue)
  return Object.fromEntries([...node.members].map(([key, member]) => [key, plainValue(member.value)]))
}

/** What a node is, in the words of JSON. */
export function kindOf(node: Node): string {
  if (node.kind === 'map') return 'an object'
  if (node.kind === 'list') return 'a list'
  if (node.value === null) return 'null'
  return `a ${typeof node.value}`
}

/** A path as people write it: `spec.webhook.orders.port`, `spec["has.dot"].names[0]`; `.` for the document itself. */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[\w$-]{1,80}$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${quote(step)}]`
  }
  return text === '' ? '.' : text
}

/** Of a plain value: the members of an object; of anything else none. */
export const membersOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
