import { asFloat, asInt } from './builtins-numbers.ts'
import { decodeJson, encodeJson } from './json.ts'
import { jsonpath } from './jsonpath/jsonpath.ts'
import type { Meter } from './limits.ts'
import { Problem, swallow } from './problem.ts'
import { define } from './sprig/define.ts'
import { sprig } from './sprig/index.ts'
import { OBJECT } from './types.ts'
import { GoMap, typeName, type Value } from './values.ts'

/**
 * What an expression sees of an event: the members of its payload (`-` in their names is `_`, dots are nesting) and the
 * helpers, which hide members of the same name.
 * @param text the payload's JSON; null is an empty object
 * @throws Problem when it is not JSON or not an object
 */
export function environment(text: string, meter: Meter): GoMap {
  const data = decodeJson(text, meter)
  if (data !== null && !(data instanceof GoMap))
    throw new Problem(`the event's data must be a JSON object, not ${typeName(data)}`)
  const members = new Map<string, Value>()
  for (const [key, value] of data?.entries ?? []) members.set(key.replaceAll('-', '_'), value)
  const env = nested(members)
  for (const [name, helper] of Object.entries(helpers)) env.set(name, helper)
  env.set('sprig', sprig())
  return new GoMap(OBJECT, env)
}

const helpers: Readonly<Record<string, Value>> = {
  asInt: define('a:a', ([x]) => asInt(x)),
  asFloat: define('a:a', ([x]) => asFloat(x)),
  toJson: define('a:s', ([x], meter) => swallow(() => encodeJson(x, meter), '')),
  jsonpath: define('ss:a', ([json, path], meter) => jsonpath(json, path, meter)),
}

/** `{"a.b": 1}` → `{"a": {"b": 1}}`. Where `a` and `a.b` both exist, `a` gives way. */
function nested(flat: Map<string, Value>): Map<string, Value> {
  const keys = [...flat.keys()]
  if (!keys.some((key) => key.includes('.'))) return flat
  const out = new Map<string, Value>()
  const groups = new Set<string>()
  for (const key of keys) if (key.includes('.')) groups.add(key.slice(0, key.indexOf('.')))
  for (const key of keys) if (!key.includes('.') && !groups.has(key)) out.set(key, flat.get(key) as Value)
  for (const group of groups) {
    const inner = keys.filter((key) => key.startsWith(`${group}.`))
    const rest = new Map(inner.map((key) => [key.slice(group.length + 1), flat.get(key) as Value]))
    out.set(group, new GoMap(OBJECT, nested(rest)))
  }
  return out
}
