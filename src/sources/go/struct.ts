/**
 * JSON decoded into a Go struct and encoded again, as upstream's typed payloads come about: members in the struct's order, those that
 * are absent with their zero value, unknown ones dropped. Works on pieces of the text, so that numbers and raw members stay exact.
 */
import { fail } from '../../core/errors.ts'
import { goJson, goJsonString, goValue, RawJson } from '../../core/json.ts'
import { jsonItems, jsonMembers } from '../../core/json-slices.ts'

/**
 * Structs by name. Each is a list `name: type; name?: type`, where `?` leaves the member out when it is empty, and a type is `string`, `int`,
 * `float`, `number` (a number kept as it is written), `bool`, `any`, `raw` (kept as sent), the name of a struct, `map<type>`, `type[]`, or `type|null` (a pointer).
 */
export type StructTable = Readonly<Record<string, string>>

/** Encodes a member. @param text compact JSON, undefined when absent; @param at its place, for errors */
export type GoEncoder = (text: string | undefined, at: string) => string

export interface GoStructs {
  /** @throws EVENT_INVALID in Go's words when the JSON does not fit; BUG for a type that is not in the table */
  encode(type: string, text: string): string
}

/** @param custom encoders of types that decode in their own way */
export function goStructs(
  table: StructTable,
  custom: (encoderOf: (type: string) => GoEncoder) => Record<string, GoEncoder> = () => ({}),
): GoStructs {
  const compiled = new Map<string, GoEncoder>(Object.entries(BASIC))

  const encoderOf = (type: string): GoEncoder => {
    let encoder = compiled.get(type)
    if (encoder === undefined) {
      // Structs may refer to themselves: what they are made of is looked up when it is needed.
      encoder = compile(type)
      compiled.set(type, encoder)
    }
    return encoder
  }

  const compile = (type: string): GoEncoder => {
    if (type.endsWith('[]')) return list(lazy(type.slice(0, -2)))
    if (type.endsWith('|null')) return pointer(lazy(type.slice(0, -5)))
    const [, value] = /^map<(.+)>$/.exec(type) ?? []
    if (value !== undefined) return map(lazy(value))
    const fields = table[type]
    if (fields === undefined) throw fail('BUG', `no Go type ${type}`)
    return struct(fieldsOf(fields))
  }
  const lazy =
    (type: string): GoEncoder =>
    (text, at) =>
      encoderOf(type)(text, at)

  const own = custom(encoderOf)
  const fieldsOf = (text: string): Field[] =>
    text === ''
      ? []
      : text.split('; ').map((field) => {
          const [, name = '', optional, type = ''] = /^(\w+)(\?)?: (.+)$/.exec(field) ?? []
          // A struct is never empty to Go, and a number is when it is not there.
          const isStruct = table[type] !== undefined || own[type] !== undefined
          const omit = optional !== '?' || isStruct ? 'never' : type === 'number' ? 'absent' : 'empty'
          return { name, omit, encode: lazy(type) }
        })

  for (const [type, encoder] of Object.entries(own)) compiled.set(type, encoder)
  return { encode: (type, text) => encoderOf(type)(text, type) }
}

interface Field {
  name: string
  omit: 'never' | 'absent' | 'empty'
  encode: GoEncoder
}

const absent = (text: string | undefined): text is undefined | 'null' => text === undefined || text === 'null'

/** What `omitempty` leaves out. */
const EMPTY: ReadonlySet<string> = new Set(['""', '0', '-0', 'false', 'null', '[]', '{}'])

function struct(fields: readonly Field[]): GoEncoder {
  const exact = new Map(fields.map((field) => [field.name, field]))
  const folded = new Map(fields.map((field) => [field.name.toLowerCase(), field]))
  return (text, at) => {
    const given = new Map<Field, string>()
    if (!absent(text)) {
      if (!text.startsWith('{')) throw mismatch(text, at, 'struct')
      for (const [name, value] of jsonMembers(text)) {
        const field = exact.get(name) ?? folded.get(name.toLowerCase())
        // As in Go, null leaves what was there.
        if (field !== undefined && value !== 'null') given.set(field, value)
      }
    }
    const members: string[] = []
    for (const field of fields) {
      const value = given.get(field)
      if (field.omit === 'absent' && value === undefined) continue
      const json = field.encode(value, `${at}.${field.name}`)
      if (field.omit !== 'empty' || !EMPTY.has(json)) members.push(`${goJsonString(field.name)}:${json}`)
    }
    return `{${members.join(',')}}`
  }
}

const pointer =
  (encode: GoEncoder): GoEncoder =>
  (text, at) =>
    absent(text) ? 'null' : encode(text, at)

const list =
  (encode: GoEncoder): GoEncoder =>
  (text, at) => {
    if (absent(text)) return 'null'
    if (!text.startsWith('[')) throw mismatch(text, at, 'slice')
    return `[${jsonItems(text)
      .map((item) => encode(item, at))
      .join(',')}]`
  }

const map =
  (encode: GoEncoder): GoEncoder =>
  (text, at) => {
    if (absent(text)) return 'null'
    if (!text.startsWith('{')) throw mismatch(text, at, 'map')
    const members = jsonMembers(text).map(([key, value]) => [key, new RawJson(encode(value, `${at}.${key}`))] as const)
    return goJson(new Map(members))
  }

/** The encoders of what is no struct. */
const BASIC: Readonly<Record<string, GoEncoder>> = {
  string(text, at) {
    if (absent(text)) return '""'
    if (!text.startsWith('"')) throw mismatch(text, at, 'string')
    return goJsonString(JSON.parse(text) as string)
  },
  bool(text, at) {
    if (absent(text)) return 'false'
    if (text !== 'true' && text !== 'false') throw mismatch(text, at, 'bool')
    return text
  },
  int(text, at) {
    if (absent(text)) return '0'
    const whole = /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
    if (!whole) throw mismatch(text, at, 'int')
    return BigInt(text).toString()
  },
  float(text, at) {
    if (absent(text)) return '0'
    if (!NUMBER.test(text) || !Number.isFinite(Number(text))) throw mismatch(text, at, 'float64')
    return goJson(Number(text))
  },
  number(text, at) {
    if (absent(text)) return '0'
    const plain = text.startsWith('"') ? (JSON.parse(text) as string) : text
    if (!NUMBER.test(plain)) throw mismatch(text, at, 'json.Number')
    return plain
  },
  any: (text) => (absent(text) ? 'null' : goJson(goValue(JSON.parse(text)))),
  raw: (text) => text ?? 'null',
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** Go's `UnmarshalTypeError`. */
function mismatch(text: string, at: string, type: string) {
  const kinds: Record<string, string> = { '"': 'string', '{': 'object', '[': 'array', t: 'bool', f: 'bool' }
  const kind = kinds[text[0]!] ?? (type === 'int' ? `number ${text.slice(0, 40)}` : 'number')
  return fail('EVENT_INVALID', `json: cannot unmarshal ${kind} into Go struct field ${at} of type ${type}`)
}
