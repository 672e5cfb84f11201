import type { Binary, Node } from './ast.ts'
import { Problem } from './problem.ts'
import { compileRegex } from './regex.ts'
import { DURATION, TIME } from './time/types.ts'
import {
  ANY,
  assignable,
  BOOL,
  comparable,
  FLOAT,
  INT,
  INTS,
  isAny,
  isArray,
  isBool,
  isFloat,
  isInteger,
  isMap,
  isNumeric,
  isString,
  isStruct,
  STRING,
  type StaticType,
  same,
  type Type,
} from './types.ts'

const shown = (type: StaticType | undefined): string => type?.name ?? 'nil'

const isTime = (type: StaticType): boolean => type !== null && same(type, TIME)
const isDuration = (type: StaticType): boolean => type !== null && same(type, DURATION)

/** True when one side is any and the other any or one of `kinds`. */
function loosely(l: StaticType, r: StaticType, ...kinds: ((type: StaticType) => boolean)[]): boolean {
  const fits = (type: StaticType) => isAny(type) || kinds.some((kind) => kind(type))
  return (isAny(l) && fits(r)) || (isAny(r) && fits(l))
}

const combined = (l: Type, r: Type): Type => (l.kind === r.kind ? l : isFloat(l) || isFloat(r) ? FLOAT : INT)

/**
 * The type of a binary operation on these types.
 * @param elem the type that all elements of an array literal on the right share
 * @throws Problem when the operator is not defined on them, or a literal pattern is wrong
 */
export function binaryType(node: Binary, l: StaticType, r: StaticType, elem: StaticType | undefined): StaticType {
  const both = (kind: (type: StaticType) => boolean) => kind(l) && kind(r)
  const { operator } = node
  switch (operator) {
    case '==':
    case '!=':
      if (comparable(l, r)) return BOOL
      break
    case 'or':
    case '||':
    case 'and':
    case '&&':
      if (both(isBool) || loosely(l, r, isBool)) return BOOL
      break
    case '<':
    case '>':
    case '<=':
    case '>=':
      if (both(isNumeric) || both(isString) || both(isTime) || loosely(l, r, isNumeric, isString, isTime)) return BOOL
      break
    case '-':
      if (both(isNumeric)) return combined(l as Type, r as Type)
      if (both(isTime)) return DURATION
      if (isTime(l) && isDuration(r)) return TIME
      if (loosely(l, r, isNumeric, isTime)) return ANY
      break
    case '*':
      if (both(isNumeric)) return combined(l as Type, r as Type)
      if (loosely(l, r, isNumeric)) return ANY
      break
    case '/':
    case '**':
    case '^':
      if (both(isNumeric) || loosely(l, r, isNumeric)) return FLOAT
      break
    case '%':
      if (both(isInteger)) return combined(l as Type, r as Type)
      if (loosely(l, r, isInteger)) return ANY
      break
    case '+':
      if (both(isNumeric)) return combined(l as Type, r as Type)
      if (both(isString)) return STRING
      if ((isTime(l) && isDuration(r)) || (isDuration(l) && isTime(r))) return TIME
      if (loosely(l, r, isNumeric, isString, isTime, isDuration)) return ANY
      break
    case 'in':
      if (within(l, r, elem, node)) return BOOL
      break
    case 'matches':
      if (node.right.kind === 'string') node.regex = compileRegex(node.right.value, node.at)
      if (both(isString) || loosely(l, r, isString)) return BOOL
      break
    case 'contains':
    case 'startsWith':
    case 'endsWith':
      if (both(isString) || loosely(l, r, isString)) return BOOL
      break
    case '..':
      if (both(isInteger) || loosely(l, r, isInteger)) return INTS
      break
    case '??':
      if (l === null) return r
      if (r === null) return l
      return assignable(r, l) ? l : ANY
  }
  throw new Problem(`invalid operation: ${shown(l)} ${operator} ${shown(r)}`, node.at)
}

function within(l: StaticType, r: StaticType, elem: StaticType | undefined, { at }: Node): boolean {
  if ((isString(l) || isAny(l)) && isStruct(r)) return true
  if (isMap(r)) {
    if (l !== null && !isAny(l) && !assignable(l, (r as Type).key as Type))
      throw new Problem(`${shown(l)} cannot be a key of ${shown(r)}`, at)
    return true
  }
  if (isArray(r)) {
    if (!comparable(l, (r as Type).elem) || !comparable(l, elem))
      throw new Problem(`${shown(l)} cannot be in an array of ${shown(elem ?? (r as Type).elem)}`, at)
    return true
  }
  return (isAny(l) && isString(r)) || isAny(r)
}
