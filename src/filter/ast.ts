import type { RE2JS } from 're2js'
import type { StaticType } from './types.ts'
import type { Value } from './values.ts'

interface Base {
  /** Offset of the token that names the node, for messages. */
  readonly at: number
  /** How deep the tree below is. */
  readonly depth: number
  /** What the checker found: `null` is untyped nil, `undefined` was not looked at. */
  type?: StaticType
}

export interface Nil extends Base {
  kind: 'nil'
}
export interface Identifier extends Base {
  kind: 'identifier'
  name: string
}
export interface Int extends Base {
  kind: 'int'
  value: bigint
}
export interface Float extends Base {
  kind: 'float'
  value: number
}
export interface Bool extends Base {
  kind: 'bool'
  value: boolean
}
export interface Str extends Base {
  kind: 'string'
  value: string
}
/** A value that the optimizer worked out. */
export interface Constant extends Base {
  kind: 'constant'
  value: Value
}
export interface Unary extends Base {
  kind: 'unary'
  operator: string
  node: Node
}
export interface Binary extends Base {
  kind: 'binary'
  operator: string
  left: Node
  right: Node
  /** The compiled literal on the right of `matches`. */
  regex?: RE2JS
}
/** Where `?.` stops: nil inside makes the whole chain nil. */
export interface Chain extends Base {
  kind: 'chain'
  node: Node
}
export interface Member extends Base {
  kind: 'member'
  node: Node
  property: Node
  optional: boolean
}
export interface Slice extends Base {
  kind: 'slice'
  node: Node
  from: Node | undefined
  to: Node | undefined
}
export interface Call extends Base {
  kind: 'call'
  callee: Node
  args: Node[]
  /** The builtin that the callee turned out to be. */
  builtin?: string
}
export interface Builtin extends Base {
  kind: 'builtin'
  name: string
  args: Node[]
  /** What `filter` and `find` give instead of the element (from `map(filter(…), …)`). */
  map?: Node
  /** `find` made from `filter(…)[0]`: nothing found is an error. */
  throws?: boolean
}
export interface Closure extends Base {
  kind: 'closure'
  node: Node
}
/** `#`, `#index`, `#acc`. */
export interface Pointer extends Base {
  kind: 'pointer'
  name: string
}
export interface Let extends Base {
  kind: 'let'
  name: string
  value: Node
  body: Node
}
export interface Conditional extends Base {
  kind: 'conditional'
  condition: Node
  yes: Node
  no: Node
}
export interface ArrayNode extends Base {
  kind: 'array'
  nodes: Node[]
}
export interface MapNode extends Base {
  kind: 'map'
  pairs: { key: Node; value: Node }[]
}

export type Node =
  | Nil
  | Identifier
  | Int
  | Float
  | Bool
  | Str
  | Constant
  | Unary
  | Binary
  | Chain
  | Member
  | Slice
  | Call
  | Builtin
  | Closure
  | Pointer
  | Let
  | Conditional
  | ArrayNode
  | MapNode

/** The depth of a node over these. */
export function over(...nodes: (Node | undefined)[]): number {
  let deepest = 0
  for (const node of nodes) if (node !== undefined && node.depth > deepest) deepest = node.depth
  return deepest + 1
}

/** Replaces each node in place by what `visit` makes of it, children first; returns the new root. */
export function rewrite(node: Node, visit: (node: Node) => Node): Node {
  const go = (child: Node): Node => rewrite(child, visit)
  switch (node.kind) {
    case 'unary':
    case 'chain':
    case 'closure':
      node.node = go(node.node)
      break
    case 'binary':
      node.left = go(node.left)
      node.right = go(node.right)
      break
    case 'member':
      node.node = go(node.node)
      node.property = go(node.property)
      break
    case 'slice':
      node.node = go(node.node)
      if (node.from) node.from = go(node.from)
      if (node.to) node.to = go(node.to)
      break
    case 'call':
      node.callee = go(node.callee)
      node.args = node.args.map(go)
      break
    case 'builtin':
      node.args = node.args.map(go)
      break
    case 'let':
      node.value = go(node.value)
      node.body = go(node.body)
      break
    case 'conditional':
      node.condition = go(node.condition)
      node.yes = go(node.yes)
      node.no = go(node.no)
      break
    case 'array':
      node.nodes = node.nodes.map(go)
      break
    case 'map':
      for (const pair of node.pairs) {
        pair.key = go(pair.key)
        pair.value = go(pair.value)
      }
      break
  }
  return visit(node)
}
