/**
 * What an unquoted YAML word means. The rules are those of the Kubernetes tools' decoder (YAML 1.1 as go-yaml v2 has it:
 * `yes` is true, `017` is 15, a date is a string), so that a file means the same here as under kubectl.
 */
import type { Scalar } from './tree.ts'

const words = new Map<string, Scalar>()
for (const word of ['y', 'yes', 'true', 'on']) for (const form of forms(word)) words.set(form, true)
for (const word of ['n', 'no', 'false', 'off']) for (const form of forms(word)) words.set(form, false)
for (const form of ['', '~', ...forms('null')]) words.set(form, null)
for (const form of forms('.nan')) words.set(form, Number.NaN)
for (const sign of ['', '+']) for (const form of forms('.inf')) words.set(`${sign}${form}`, Number.POSITIVE_INFINITY)
for (const form of forms('.inf')) words.set(`-${form}`, Number.NEGATIVE_INFINITY)

const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/

/** lower, Title, UPPER. */
function forms(word: string): string[] {
  const title = word.replace(/[a-z]/, (c) => c.toUpperCase())
  return [word, word.startsWith('.') ? `.${word[1]!.toUpperCase()}${word.slice(2)}` : title, word.toUpperCase()]
}

/** The value of an unquoted, untagged scalar. NaN and infinities are numbers here; JSON has none, so the caller refuses them. */
export function resolvePlain(text: string): Scalar {
  const word = words.get(text)
  if (word !== undefined) return word
  const first = text[0] ?? ''
  if (!/[-+.0-9]/.test(first) || text.length > 400) return text
  const plain = first === '.' ? text : text.replaceAll('_', '')
  const integer = INTEGER.exec(plain)
  if (integer !== null && first !== '.') {
    const [, sign, hex, binary, octal, decimal] = integer
    const digits = hex ? `0x${hex}` : binary ? `0b${binary}` : octal ? `0o${octal}` : decimal!
    const magnitude = Number(BigInt(digits))
    return sign === '-' && magnitude !== 0 ? -magnitude : magnitude
  }
  return FLOAT.test(plain) ? Number(plain) : text
}

const STANDARD = 'tag:yaml.org,2002:'

/**
 * The value of a scalar with an explicit tag.
 * @returns the value, or null in an object when the text is none of the tag's
 */
export function resolveTagged(tag: string, text: string, quoted: boolean): { value: Scalar } | null {
  const name = tag.startsWith(STANDARD) ? tag.slice(STANDARD.length) : ''
  if (name === 'binary') return { value: Buffer.from(text.replace(/\s/g, ''), 'base64').toString('utf8') }
  const wanted = { int: 'number', float: 'number', bool: 'boolean', null: 'object' }[name]
  if (wanted === undefined) return { value: text }
  const value = quoted && text === '' ? text : resolvePlain(text)
  if (typeof value !== wanted || (name === 'int' && !Number.isInteger(value))) return null
  return { value }
}
