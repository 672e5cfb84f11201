import type { Binary, Builtin, Call, Member, Node } from './ast.ts'
import { builtins } from './builtins.ts'
import { binaryType } from './checker-operators.ts'
import { Problem } from './problem.ts'
import {
  ANY,
  ANYS,
  assignable,
  BOOL,
  FLOAT,
  FUNCTION,
  funcOf,
  GROUPS,
  INT,
  isAny,
  isArray,
  isBool,
  isFloat,
  isInteger,
  isMap,
  isNumeric,
  isString,
  OBJECT,
  STRING,
  type StaticType,
  sliceOf,
  type Type,
} from './types.ts'

/**
 * Finds the static type of every node and refuses what upstream refuses before it runs: `1 + "a"`, a builtin's name
 * used as a value, a wrong number of arguments. Variables are of any type, since upstream compiles without knowing them.
 * @throws Problem
 */
export function check(node: Node): void {
  visit(node, { variables: [], predicates: [] })
}

interface Variable {
  name: string
  type: StaticType
  elem: StaticType | undefined
  builtin: string | undefined
}

interface Scope {
  readonly variables: readonly Variable[]
  readonly predicates: readonly { collection: Type; pointers: Readonly<Record<string, Type>> }[]
}

/** What is known of a node beside its type. */
interface Found {
  type: StaticType
  /** The builtin that it names. */
  builtin?: string | undefined
  /** The type that all elements of an array literal share. */
  elem?: StaticType | undefined
}

const shown = (type: StaticType | undefined): string => type?.name ?? 'nil'

function visit(node: Node, scope: Scope): StaticType {
  return find(node, scope).type
}

function find(node: Node, scope: Scope): Found {
  const found = inspect(node, scope)
  node.type = found.type
  return found
}

function inspect(node: Node, scope: Scope): Found {
  switch (node.kind) {
    case 'nil':
      return { type: null }
    case 'int':
      return { type: INT }
    case 'float':
      return { type: FLOAT }
    case 'bool':
      return { type: BOOL }
    case 'string':
      return { type: STRING }
    case 'constant':
      return { type: ANY }
    case 'identifier':
      return identifier(node.name, scope)
    case 'unary':
      return { type: unary(node.operator, visit(node.node, scope), node) }
    case 'binary':
      return { type: binary(node, scope) }
    case 'chain':
      return find(node.node, scope)
    case 'member':
      return member(node, scope)
    case 'slice': {
      const type = visit(node.node, scope)
      if (!isAny(type) && !isString(type) && !isArray(type)) throw new Problem(`cannot slice ${shown(type)}`, node.at)
      for (const bound of [node.from, node.to]) {
        const of = bound && visit(bound, scope)
        if (bound && !isInteger(of) && !isAny(of))
          throw new Problem(`the bound of a slice must be an integer, not ${shown(of)}`, bound.at)
      }
      return { type }
    }
    case 'call':
      return { type: call(node, scope) }
    case 'builtin':
      return { type: builtin(node, scope) }
    case 'closure': {
      const type = visit(node.node, scope)
      if (type === null) throw new Problem('the predicate cannot be nil', node.at)
      return { type: funcOf([ANY], type) }
    }
    case 'pointer':
      return { type: pointer(node.name, node.at, scope) }
    case 'let':
      return declaration(node, scope)
    case 'conditional': {
      const condition = visit(node.condition, scope)
      if (!isBool(condition) && !isAny(condition))
        throw new Problem(`the condition before ? must be a bool, not ${shown(condition)}`, node.condition.at)
      const yes = visit(node.yes, scope)
      const no = visit(node.no, scope)
      if (yes === null) return { type: no }
      if (no === null) return { type: yes }
      return { type: assignable(yes, no) ? yes : ANY }
    }
    case 'array':
      return { type: ANYS, elem: common(node.nodes.map((item) => visit(item, scope))) }
    case 'map':
      for (const { key, value } of node.pairs) {
        visit(key, scope)
        visit(value, scope)
      }
      return { type: OBJECT }
  }
}

/** The type of the last element when all are of one kind. */
function common(types: StaticType[]): StaticType | undefined {
  const last = types.at(-1)
  if (last == null) return undefined
  return types.every((type) => type?.kind === last.kind) ? last : undefined
}

function identifier(name: string, scope: Scope): Found {
  const variable = scope.variables.findLast((v) => v.name === name)
  if (variable !== undefined) return variable
  if (name === '$env') return { type: OBJECT }
  return environment(name)
}

function environment(name: string): Found {
  return builtins.has(name) ? { type: FUNCTION, builtin: name } : { type: ANY }
}

function unary(operator: string, type: StaticType, { at }: Node): StaticType {
  if (operator === '!' || operator === 'not') {
    if (isBool(type) || isAny(type)) return BOOL
  } else if (isNumeric(type) || isAny(type)) {
    return type
  }
  throw new Problem(`invalid operation: ${operator} ${shown(type)}`, at)
}

function binary(node: Binary, scope: Scope): StaticType {
  const left = visit(node.left, scope)
  const right = find(node.right, scope)
  return binaryType(node, left, right.type, right.elem)
}

function member(node: Member, scope: Scope): Found {
  const base = visit(node.node, scope)
  const property = visit(node.property, scope)
  const name = node.property.kind === 'string' ? node.property.value : undefined
  if (node.node.kind === 'identifier' && node.node.name === '$env')
    return name === undefined ? { type: ANY } : environment(name)
  if (name !== undefined) {
    if (base === null) throw new Problem(`nil has no field ${name}`, node.at)
    const method = base.methods?.get(name)
    if (method !== undefined) return { type: method }
  }
  switch (base?.kind) {
    case 'interface':
      return { type: ANY }
    case 'map':
      if (property !== null && !assignable(property, base.key as Type) && !isAny(property))
        throw new Problem(`${shown(property)} cannot be a key of ${shown(base)}`, node.property.at)
      return { type: base.elem as Type }
    case 'slice':
    case 'array':
      if (!isInteger(property) && !isAny(property))
        throw new Problem(`an index must be an integer, not ${shown(property)}`, node.property.at)
      return { type: base.elem as Type }
    default:
      throw new Problem(`${shown(base)} has no member ${name ?? shown(property)}`, node.at)
  }
}

function call(node: Call, scope: Scope): StaticType {
  const callee = find(node.callee, scope)
  if (callee.builtin !== undefined) {
    node.builtin = callee.builtin
    return checkBuiltin(callee.builtin, node, node.args, scope)
  }
  if (callee.type === null) throw new Problem('nil cannot be called', node.at)
  if (isAny(callee.type)) return ANY
  if (callee.type.kind !== 'func') throw new Problem(`${shown(callee.type)} cannot be called`, node.at)
  const result = checkArguments(callee.type, node, node.args, scope)
  if (result instanceof Problem) throw result
  return result
}

/** The result's type, or why the arguments do not fit. */
function checkArguments(fn: Type, { at }: Node, args: Node[], scope: Scope): Type | Problem {
  const params = fn.params ?? []
  if ((fn.results ?? 1) > 2) return new Problem('a function with more than two results cannot be called', at)
  const least = fn.variadic ? params.length - 1 : params.length
  if (args.length < least || (!fn.variadic && args.length > least))
    return new Problem(`wrong number of arguments: ${args.length}, the function takes ${least}`, at)
  for (const [i, arg] of args.entries()) {
    const type = visit(arg, scope)
    const wanted = params[Math.min(i, params.length - 1)] as Type
    if (type === null || isAny(type)) continue
    if (isInteger(type) && (isFloat(wanted) || (isInteger(wanted) && type.kind !== wanted.kind))) continue
    if (!assignable(type, wanted))
      return new Problem(`argument ${i + 1} must be ${shown(wanted)}, not ${shown(type)}`, arg.at)
  }
  return fn.result as Type
}

function checkBuiltin(name: string, node: Node, args: Node[], scope: Scope): StaticType {
  const definition = builtins.get(name)
  if (definition?.validate !== undefined) {
    const types = args.map((arg) => visit(arg, scope))
    try {
      return definition.validate(types)
    } catch (error) {
      throw error instanceof Problem ? new Problem(`${name}: ${error.message}`, node.at) : error
    }
  }
  let last = new Problem(`${name} cannot be called so`, node.at)
  for (const overload of definition?.overloads ?? [FUNCTION]) {
    const result = checkArguments(overload, node, args, scope)
    if (!(result instanceof Problem)) return result
    last = result
  }
  throw new Problem(`${name}: ${last.message}`, last.at)
}

/** What a predicate's closure must give, and what the builtin gives for it. */
function builtin(node: Builtin, scope: Scope): StaticType {
  const { name, args } = node
  if (name === 'get') return get(node, scope)
  if (builtins.get(name)?.predicate !== true) return checkBuiltin(name, node, args, scope)
  const [collectionNode, closureNode, start] = args as [Node, Node, Node | undefined]
  const collection = visit(collectionNode, scope)
  if (!isArray(collection) && !isAny(collection))
    throw new Problem(`${name} takes an array, not ${shown(collection)}`, collectionNode.at)
  const pointers: Record<string, Type> = { __proto__: null } as never
  if (name === 'map' || name === 'reduce') pointers.index = INT
  if (name === 'reduce') pointers.acc = ANY
  const predicates = [...scope.predicates, { collection: collection as Type, pointers }]
  const closure = visit(closureNode, { ...scope, predicates })
  if (start !== undefined) visit(start, scope)
  const result = closure?.result as Type
  if (!['map', 'groupBy', 'reduce'].includes(name) && !isBool(result) && !isAny(result))
    throw new Problem(`the predicate of ${name} must give a bool, not ${shown(result)}`, closureNode.at)
  const elem = isAny(collection) ? ANY : ((collection as Type).elem as Type)
  switch (name) {
    case 'filter':
      return sliceOf(elem)
    case 'map':
      return sliceOf(result)
    case 'count':
    case 'findIndex':
    case 'findLastIndex':
      return INT
    case 'find':
    case 'findLast':
      return elem
    case 'groupBy':
      return GROUPS
    case 'reduce':
      return result
    default:
      return BOOL
  }
}

function get(node: Builtin, scope: Scope): StaticType {
  const [base, property] = node.args
  if (base === undefined || property === undefined || node.args.length !== 2)
    throw new Problem(`get takes 2 arguments, not ${node.args.length}`, node.at)
  if (base.kind === 'identifier' && base.name === '$env') return property.kind === 'string' ? null : ANY
  const type = visit(base, scope)
  if (isAny(type)) return ANY
  if (!isArray(type) && !isMap(type)) throw new Problem(`get cannot look into ${shown(type)}`, base.at)
  const by = visit(property, scope)
  const fits = isMap(type) ? by !== null && assignable(by, (type as Type).key as Type) : isInteger(by)
  if (by === null || (!fits && !isAny(by)))
    throw new Problem(`${shown(by)} cannot be used to look into ${shown(type)}`, property.at)
  return (type as Type).elem as Type
}

function pointer(name: string, at: number, scope: Scope): StaticType {
  const predicate = scope.predicates.at(-1)
  if (predicate === undefined) throw new Problem('# stands for an element only inside a predicate', at)
  if (name === '') return isAny(predicate.collection) ? ANY : (predicate.collection.elem as Type)
  const type = predicate.pointers[name]
  if (type === undefined) throw new Problem(`there is no #${name} here`, at)
  return type
}

function declaration(node: Extract<Node, { kind: 'let' }>, scope: Scope): Found {
  const { name } = node
  if (builtins.has(name)) throw new Problem(`${name} is a builtin: choose another name`, node.at)
  if (scope.variables.some((v) => v.name === name)) throw new Problem(`${name} is declared already`, node.at)
  const value = find(node.value, scope)
  const variable = { name, type: value.type, elem: value.elem, builtin: value.builtin }
  return find(node.body, { ...scope, variables: [...scope.variables, variable] })
}
