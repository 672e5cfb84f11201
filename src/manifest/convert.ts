/** The YAML library's nodes → our tree: scalars resolved, aliases and merges followed within bounds, duplicate keys found. */

import { isAlias, isMap, isScalar, isSeq } from 'yaml'
import { quote } from '../core/quote.ts'
import { resolvePlain, resolveTagged } from './scalar.ts'
import type { MapNode, Node, Scalar, ScalarNode } from './tree.ts'

export interface Problem {
  /** Offset in the text. */
  at: number
  severity: 'error' | 'warning'
  message: string
  remedy?: string
}

export const treeLimits = {
  /** Levels of nesting in one document. */
  depth: 100,
  /** Nodes that the aliases and merges of one document may stand for. */
  aliased: 50_000,
} as const

export const tooDeep = {
  message: `nested deeper than ${treeLimits.depth} levels`,
  remedy: 'flatten it: no object needs that depth',
}

function nothing(at: number): ScalarNode {
  return { kind: 'scalar', at, size: 1, height: 0, value: null }
}

/** Never throws; `contents` is no deeper than the parser's stack allows. */
export function convert(contents: unknown, problems: Problem[]): Node {
  const anchors = new Map<string, Node | 'open'>()
  let aliased = 0
  const error = (at: number, message: string, remedy?: string) =>
    problems.push({ at, severity: 'error', message, remedy })

  /** Counts what an alias stands for. */
  const spend = (node: Node, at: number): boolean => {
    const before = aliased
    aliased += node.size
    if (aliased <= treeLimits.aliased) return true
    if (before <= treeLimits.aliased) {
      error(at, `the aliases up to here stand for more than ${treeLimits.aliased} values`, 'write the values out')
    }
    return false
  }

  /** Counts the levels that an alias brings to where it is used. */
  const fits = (node: Node, depth: number, at: number): boolean => {
    if (depth + node.height <= treeLimits.depth) return true
    problems.push({ at, severity: 'error', ...tooDeep })
    return false
  }

  const visit = (node: unknown, depth: number, fallbackAt: number): Node => {
    const at = startOf(node) ?? fallbackAt
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target === undefined || target === 'open') {
        error(
          at,
          target ? 'this alias stands inside its own anchor' : 'this alias names no anchor that stands before it',
          target ? 'write the value out' : 'quote a value that begins with *',
        )
        return nothing(at)
      }
      return spend(target, at) && fits(target, depth, at) ? { ...target, at } : nothing(at)
    }
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined
    if (anchor !== undefined) anchors.set(anchor, 'open')
    const converted = visitPlain(node, depth, at)
    if (anchor !== undefined) anchors.set(anchor, converted)
    return converted
  }

  const visitPlain = (node: unknown, depth: number, at: number): Node => {
    if (isScalar(node)) return { kind: 'scalar', at, size: 1, height: 0, value: scalar(node, at) }
    if (!isMap(node) && !isSeq(node)) return nothing(at)
    if (depth >= treeLimits.depth) {
      problems.push({ at, severity: 'error', ...tooDeep })
      return nothing(at)
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => visit(item, depth + 1, at))
      return { kind: 'list', at, ...measures(items), items }
    }
    const map: MapNode = { kind: 'map', at, size: 1, height: 1, members: new Map() }
    const merges: { value: Node; at: number }[] = []
    for (const { key, value } of node.items) {
      const keyAt = startOf(key) ?? startOf(value) ?? at
      const name = keyText(key, keyAt)
      const child = visit(value, depth + 1, keyAt)
      if (isMergeKey(key)) merges.push({ value: child, at: keyAt })
      else if (name !== null) addMember(map, name, keyAt, child)
    }
    for (const merge of merges) mergeInto(map, merge.value, depth, merge.at)
    return Object.assign(map, measures([...map.members.values()].map(({ value }) => value)))
  }

  const addMember = (map: MapNode, name: string, keyAt: number, value: Node): void => {
    if (name === '__proto__') error(keyAt, 'the key "__proto__" is not allowed')
    else if (map.members.has(name))
      error(keyAt, `the key ${quote(name)} is there twice`, 'remove or rename one of the two')
    else map.members.set(name, { keyAt, value })
  }

  const mergeInto = (map: MapNode, value: Node, depth: number, at: number): void => {
    const parts = value.kind === 'list' ? value.items : [value]
    for (const part of parts) {
      if (part.kind !== 'map') {
        error(at, 'a merge key (<<) takes an object or a list of objects', 'quote "<<" if you mean the key')
        return
      }
      for (const [name, member] of part.members) {
        if (map.members.has(name)) continue
        if (!spend(member.value, at) || !fits(member.value, depth + 1, at)) return
        map.members.set(name, member)
      }
    }
  }

  /** Keys that are no strings become the text of their value, as the Kubernetes tools have it. */
  const keyText = (key: unknown, at: number): string | null => {
    const resolved = isScalar(key) ? scalar(key, at) : isAlias(key) ? visit(key, 0, at) : null
    const value = resolved !== null && typeof resolved === 'object' ? (resolved as ScalarNode).value : resolved
    if (value === null || value === undefined) {
      error(at, isScalar(key) || key === null ? 'a key is empty' : 'a key must be plain text', 'name the key')
      return null
    }
    if (typeof value === 'boolean') {
      problems.push({
        at,
        severity: 'warning',
        message: `this key is read as ${value}, as in YAML 1.1`,
        remedy: 'put it in quotes',
      })
    }
    return String(value)
  }

  const scalar = (node: { value: unknown; source?: string; type?: string; tag?: string }, at: number): Scalar => {
    // The library itself decodes `!!binary`; `source` has the text.
    const text = typeof node.value === 'string' ? node.value : (node.source ?? '')
    const quoted = node.type !== undefined && node.type !== 'PLAIN'
    const resolved =
      node.tag !== undefined ? resolveTagged(node.tag, text, quoted) : { value: quoted ? text : resolvePlain(text) }
    if (resolved === null) {
      error(at, 'the value is not of the type that its tag says', 'remove the tag')
      return null
    }
    if (typeof resolved.value === 'number' && !Number.isFinite(resolved.value)) {
      error(at, 'JSON has no infinity and no "not a number"', 'write a number, or quote the text')
      return null
    }
    return resolved.value
  }

  return visit(contents, 0, 0)
}

function measures(children: Node[]): { size: number; height: number } {
  let [size, height] = [1, 0]
  for (const child of children) {
    size += child.size
    height = Math.max(height, child.height)
  }
  return { size, height: height + 1 }
}

function isMergeKey(key: unknown): boolean {
  return (
    isScalar(key) && key.value === '<<' && (key.type === 'PLAIN' || key.type === undefined) && key.tag === undefined
  )
}

function startOf(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null)?.range?.[0]
}
