import type { Meter } from '../limits.ts'
import { Problem } from '../problem.ts'
import { TIME } from '../time/types.ts'
import {
  ANY,
  ANYS,
  BOOL,
  FLOAT,
  funcOf,
  INT,
  INT64,
  INTS,
  OBJECT,
  STRING,
  STRING_MAP,
  STRINGS,
  type Type,
} from '../types.ts'
import { GoFunc, GoInt, GoSlice, typeName, type Value } from '../values.ts'

/** Functions by name, as members of `sprig`. */
export type Functions = Readonly<Record<string, GoFunc>>

const LETTERS: Readonly<Record<string, Type>> = {
  a: ANY,
  s: STRING,
  i: INT,
  I: INT64,
  b: BOOL,
  f: FLOAT,
  m: OBJECT,
  t: TIME,
  A: ANYS,
  S: STRINGS,
  N: INTS,
  M: STRING_MAP,
}

/**
 * A function from its signature, one letter per type (see LETTERS), `*` for "any number of the last": `is:s` takes an int
 * and a string and gives a string. Calls are checked against it, as Go's reflection does.
 */
export function define(signature: string, call: (args: any[], meter: Meter) => Value): GoFunc {
  const [before = '', after = ''] = signature.split(':')
  const params = [...before.replace('*', '')].map((letter) => LETTERS[letter] as Type)
  return new GoFunc(funcOf(params, LETTERS[after] as Type, before.endsWith('*')), call)
}

export const int64 = (value: bigint): GoInt => new GoInt(INT64, value)

/** The items of a slice or array. @throws Problem for anything else, as sprig panics */
export function itemsOf(value: Value, what: string): readonly Value[] {
  if (!(value instanceof GoSlice)) throw new Problem(`cannot ${what} type ${typeName(value)}`)
  return value.items
}
