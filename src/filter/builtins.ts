import { collections } from './builtins-collections.ts'
import { numbers } from './builtins-numbers.ts'
import { texts } from './builtins-texts.ts'
import type { Meter } from './limits.ts'
import { PREDICATES } from './names.ts'
import { ANY, ANYS, BOOL, funcOf, type StaticType, type Type } from './types.ts'
import type { Value } from './values.ts'

/** A function of the language. */
export interface BuiltinFunction {
  /** True when it takes a closure; the evaluator runs those itself. */
  predicate?: boolean
  /** The ways in which it can be called, tried in order. */
  overloads?: readonly Type[]
  /** How many arguments it takes at least and at most; without this, what the overloads say. */
  takes?: readonly [least: number, most: number]
  /** Instead of overloads: checks the arguments' types and gives the result's. @throws Problem */
  validate?: (args: readonly StaticType[]) => StaticType
  /** @throws Problem for arguments that are wrong at run time. Absent where upstream's cannot be called as a value. */
  call?: (args: Value[], meter: Meter) => Value
  /** True when it cannot be reached by `$env.name(…)` or a variable, because upstream has no plain function for it. */
  direct?: boolean
}

const predicate: BuiltinFunction = {
  predicate: true,
  overloads: [funcOf([ANYS, funcOf([ANY], BOOL)], ANY)],
}

/** All builtins of expr 1.15.5 by name. */
export const builtins: ReadonlyMap<string, BuiltinFunction> = new Map([
  ...[...PREDICATES].map((name): [string, BuiltinFunction] => [name, predicate]),
  ...Object.entries(numbers),
  ...Object.entries(texts),
  ...Object.entries(collections),
])

/** True when a builtin can be called with so many arguments. Arguments of calls of any type are not checked before. */
export function accepts({ takes, overloads = [] }: BuiltinFunction, count: number): boolean {
  if (takes !== undefined) return count >= takes[0] && count <= takes[1]
  return overloads.some(({ params = [] }) => params.length === count)
}
