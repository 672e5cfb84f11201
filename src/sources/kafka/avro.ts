/**
 * Avro's binary encoding (https://avro.apache.org/docs/1.12.0/specification/#binary-encoding) as JSON text, in the form in which goavro
 * prints it: the branch of a union named, bytes as characters of one byte each. Straight from bytes to text: no value loses digits on the
 * way, and no length that a message claims is believed. Schemas are read by avsc.
 */
import type { Type, types } from 'avsc'
import { fail } from '../../core/errors.ts'
import { AvroBytes } from './avro-bytes.ts'
import { goBytes, goDouble, goFloat, goText } from './avro-text.ts'

/** The body of one message as JSON text. @throws EVENT_INVALID when the bytes are not what the schema says */
export type AvroDecoder = (bytes: Uint8Array) => string

type Write = (from: AvroBytes, depth: number) => string

/** Values within values, counted as the schema does: a union and what it holds are two. So deep that a stack holds it. */
export const DEEPEST = 1_000

/** Logical types that goavro knows: in a union its name for them is `long.timestamp-millis`, while others have that of their type. */
const LOGICAL: Readonly<Record<string, readonly string[]>> = {
  date: ['int'],
  'time-millis': ['int'],
  'time-micros': ['long'],
  'timestamp-millis': ['long'],
  'timestamp-micros': ['long'],
  decimal: ['bytes', 'fixed'],
}

/**
 * @param schema as the registry has it, JSON. @param references the schemas that it refers to by name, each behind those that it needs itself
 * @throws EVENT_INVALID when it is no Avro schema
 */
export async function avroDecoder(schema: string, references: readonly string[] = []): Promise<AvroDecoder> {
  const { Type, types } = (await import('avsc')).default
  /** Only marks a type, so that its name is known below. */
  class Marked extends types.LogicalType {}
  const logicalTypes = Object.fromEntries(Object.keys(LOGICAL).map((name) => [name, Marked]))
  const registry = {}
  let write: Write
  try {
    const parsed = [...references, schema].map((text) =>
      Type.forSchema(JSON.parse(text, withoutDefaults), { registry, logicalTypes, wrapUnions: true }),
    )
    write = writerOf(parsed.at(-1)!, new Map())
  } catch (error) {
    throw fail('EVENT_INVALID', `its schema is no Avro schema: ${(error as Error).message}`, {}, { cause: error })
  }
  return (bytes) => write(new AvroBytes(bytes), 0)
}

/** What only those need who write, or who read with another schema: a mistake in it is no reason to lose a message. */
const withoutDefaults = (key: string, value: unknown): unknown =>
  key === 'default' || key === 'aliases' || key === 'order' ? undefined : value

function writerOf(type: Type, known: Map<Type, Write>): Write {
  const found = known.get(type)
  if (found !== undefined) return found
  // A schema may hold itself.
  let made: Write | null = null
  known.set(type, (from, depth) => made!(from, depth))
  made = deeper(newWriter(type, known))
  known.set(type, made)
  return made
}

const deeper =
  (write: Write): Write =>
  (from, depth) => {
    if (depth > DEEPEST) throw fail('EVENT_INVALID', `avro: the value is nested deeper than ${DEEPEST}`)
    return write(from, depth + 1)
  }

function newWriter(type: Type, known: Map<Type, Write>): Write {
  const kind = type.typeName
  if (kind.startsWith('logical:')) return logicalWriter(type as types.LogicalType, known)
  switch (kind) {
    case 'null':
      return (from) => from.spend('null')
    case 'boolean':
      return (from) => from.spend(String(from.boolean()))
    case 'int':
      return (from) => from.spend(String(from.int()))
    case 'long':
      return (from) => from.spend(String(from.long()))
    case 'float':
      return (from) => from.spend(goFloat(from.float()))
    case 'double':
      return (from) => from.spend(goDouble(from.double()))
    case 'bytes':
      return (from) => from.spend(goBytes(from.bytes()))
    case 'string':
      return (from) => from.spend(goText(from.bytes()))
    case 'fixed': {
      const { size } = type as types.FixedType
      return (from) => from.spend(goBytes(from.take(size)))
    }
    case 'enum': {
      const symbols = (type as types.EnumType).symbols.map((one) => `"${one}"`)
      return (from) => from.spend(chosen(symbols, from, 'enum'))
    }
    case 'array': {
      const write = writerOf((type as types.ArrayType).itemsType, known)
      return (from, depth) => {
        const items = from.blocks(() => write(from, depth))
        return `${from.spend('[')}${items.join(',')}]`
      }
    }
    case 'map': {
      const write = writerOf((type as types.MapType).valuesType, known)
      return (from, depth) => {
        const keys = new Set<string>()
        const members = from.blocks(() => {
          const key = goText(from.bytes())
          if (keys.has(key)) throw fail('EVENT_INVALID', `avro: cannot decode binary map: duplicate key: ${key}`)
          keys.add(key)
          return `${from.spend(key)}:${write(from, depth)}`
        })
        return `${from.spend('{')}${members.join(',')}}`
      }
    }
    case 'union:wrapped': {
      const branches = (type as types.WrappedUnionType).types.map((branch) => {
        const write = writerOf(branch, known)
        if (branch.typeName === 'null') return write
        const head = `{"${nameOf(branch)}":`
        return (from: AvroBytes, depth: number) => `${from.spend(head)}${write(from, depth)}${from.spend('}')}`
      })
      return (from, depth) => chosen(branches, from, 'union')(from, depth)
    }
    default: {
      // A record, or an error: a record by another name.
      const { fields } = type as types.RecordType
      const writers = fields.map((field, i) => {
        const write = writerOf(field.type, known)
        const head = `${i === 0 ? '{' : ','}"${field.name}":`
        return (from: AvroBytes, depth: number) => `${from.spend(head)}${write(from, depth)}`
      })
      const end = fields.length === 0 ? '{}' : '}'
      return (from, depth) => `${writers.map((write) => write(from, depth)).join('')}${from.spend(end)}`
    }
  }
}

function chosen<T>(from: readonly T[], bytes: AvroBytes, what: string): T {
  const index = Number(bytes.long())
  const one = from[index]
  if (one === undefined)
    throw fail(
      'EVENT_INVALID',
      `avro: cannot decode binary ${what}: index ${index} is not between 0 and ${from.length - 1}`,
    )
  return one
}

/** The logical type's name where it counts: `decimal` of a string, say, means nothing (specification, Logical Types). */
function logicalName(type: Type): string | null {
  if (!type.typeName.startsWith('logical:')) return null
  const name = type.typeName.slice('logical:'.length)
  return LOGICAL[name]!.includes((type as types.LogicalType).underlyingType.typeName) ? name : null
}

function logicalWriter(type: types.LogicalType, known: Map<Type, Write>): Write {
  const { underlyingType } = type
  // goavro reads a decimal as a number and writes the fewest bytes that hold it.
  if (logicalName(type) === 'decimal' && underlyingType.typeName === 'bytes')
    return (from) => from.spend(goBytes(fewest(from.bytes())))
  return writerOf(underlyingType, known)
}

/** The same two's complement number without bytes that only repeat its sign. */
function fewest(bytes: Uint8Array): Uint8Array {
  let at = 0
  while (at < bytes.length - 1 && bytes[at] === (bytes[at + 1]! < 0x80 ? 0 : 0xff)) at++
  return bytes.length === 0 ? Uint8Array.of(0) : bytes.subarray(at)
}

/** A type's name in a union, as goavro gives it. */
function nameOf(type: Type): string {
  const logical = logicalName(type)
  const under = type.typeName.startsWith('logical:') ? (type as types.LogicalType).underlyingType : type
  return under.name ?? (logical === null ? under.typeName : `${under.typeName}.${logical}`)
}
