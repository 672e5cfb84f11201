import { Problem } from '../problem.ts'
import { BOOL, funcOf, INT, STRING, type Type, UINT64 } from '../types.ts'
import { GoFunc, GoInt, type Opaque, type Value } from '../values.ts'
import { define, type Functions } from './define.ts'

const methods = new Map<string, Type>()
const VERSION: Type = { kind: 'ptr', name: '*semver.Version', named: true, methods }
for (const name of ['Major', 'Minor', 'Patch']) methods.set(name, funcOf([], UINT64))
for (const name of ['Prerelease', 'Metadata', 'Original', 'String']) methods.set(name, funcOf([], STRING))
for (const name of ['LessThan', 'GreaterThan', 'LessThanEqual', 'GreaterThanEqual', 'Equal'])
  methods.set(name, funcOf([VERSION], BOOL))
methods.set('Compare', funcOf([VERSION], INT))

/** A version: Go's `*semver.Version`. */
interface Version extends Opaque {
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly prerelease: string
  readonly metadata: string
  readonly original: string
}

const LOOSE =
  /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/

/** Reads a version; minor and patch may be missing. @throws Problem */
function parseVersion(text: string): Version {
  const match = text.length > 1024 ? null : LOOSE.exec(text)
  const invalid = () => new Problem(`invalid semantic version ${JSON.stringify(text.slice(0, 80))}`)
  if (match === null) throw invalid()
  const [, major, minor = '0', patch = '0', prerelease = '', metadata = ''] = match as unknown as string[]
  const numbers = [major, minor, patch].map((part) => BigInt(part as string)) as [bigint, bigint, bigint]
  if (numbers.some((number) => number >= 2n ** 64n)) throw invalid()
  if (prerelease.split('.').some((part) => /^0\d+$/.test(part))) throw invalid()
  const version: Version = {
    type: VERSION,
    numbers,
    prerelease,
    metadata,
    original: text,
    text: () => numbers.join('.') + (prerelease && `-${prerelease}`) + (metadata && `+${metadata}`),
    sameAs: (other) => (other as Version).original === text,
    json: () => JSON.stringify(version.text()),
  }
  return version
}

function compareVersions(a: Version, b: Version): number {
  for (const [i, number] of a.numbers.entries()) {
    const other = b.numbers[i] as bigint
    if (number !== other) return number < other ? -1 : 1
  }
  if (a.prerelease === '' || b.prerelease === '')
    return a.prerelease === b.prerelease ? 0 : a.prerelease === '' ? 1 : -1
  const [left, right] = [a.prerelease.split('.'), b.prerelease.split('.')]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = comparePart(left[i], right[i])
    if (order !== 0) return order
  }
  return 0
}

function comparePart(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0
  if (a === undefined) return -1
  if (b === undefined) return 1
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)]
  if (x !== y) return x ? -1 : 1
  if (x) return BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0
  return a < b ? -1 : 1
}

/** The method `name` of a version, bound to it. */
export function versionMethod(value: Value, name: string): GoFunc | undefined {
  if (typeof value !== 'object' || (value as Opaque | null)?.type !== VERSION) return undefined
  const type = methods.get(name)
  const version = value as Version
  return type && new GoFunc(type, ([other]) => ofVersion(version, name, other as Version))
}

function ofVersion(version: Version, name: string, other: Version): Value {
  const part = ['Major', 'Minor', 'Patch'].indexOf(name)
  if (part >= 0) return new GoInt(UINT64, version.numbers[part] as bigint)
  switch (name) {
    case 'Prerelease':
      return version.prerelease
    case 'Metadata':
      return version.metadata
    case 'Original':
      return version.original
    case 'String':
      return version.text()
  }
  const order = compareVersions(version, other)
  switch (name) {
    case 'LessThan':
      return order < 0
    case 'GreaterThan':
      return order > 0
    case 'LessThanEqual':
      return order <= 0
    case 'GreaterThanEqual':
      return order >= 0
    case 'Equal':
      return order === 0
    default:
      return BigInt(order)
  }
}

/** One condition of a constraint. `exact` says how many of the three numbers were written (the rest are open). */
interface Condition {
  operator: string
  version: Version
  exact: number
}

const NUMBER = 'v?([0-9xX*]+)(\\.[0-9xX*]+)?(\\.[0-9xX*]+)?'
const TAIL = '(-[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?'
const OPERATOR = '(=>|>=|<=|=<|!=|~>|=|>|<|~|\\^|)'
const CONDITION = new RegExp(`\\s*${OPERATOR}\\s*${NUMBER}${TAIL}\\s*`, 'y')

function parseConditions(text: string): Condition[] {
  const found: Condition[] = []
  for (let at = 0; at < text.length || found.length === 0; ) {
    CONDITION.lastIndex = at
    const match = new RegExp(CONDITION).exec(text.slice(at))
    if (match === null || match.index !== 0)
      throw new Problem(`improper constraint: ${JSON.stringify(text.slice(0, 80))}`)
    found.push(condition(match as unknown as string[]))
    at += match[0].length
    const separated = /\s$/.test(match[0])
    if (text[at] === ',') at++
    else if (at < text.length && !separated)
      throw new Problem(`improper constraint: ${JSON.stringify(text.slice(0, 80))}`)
  }
  return found
}

function condition([, operator = '', major = '', minor, patch, tail = '']: string[]): Condition {
  const open = (part: string | undefined) => part === undefined || /^\.?[xX*]$/.test(part)
  if (open(major)) return { operator, version: parseVersion(`0.0.0${tail}`), exact: 0 }
  if (open(minor)) return { operator, version: parseVersion(`${major}.0.0${tail}`), exact: 1 }
  if (open(patch)) return { operator, version: parseVersion(`${major}${minor}.0${tail}`), exact: 2 }
  return { operator, version: parseVersion(`${major}${minor}${patch}${tail}`), exact: 3 }
}

/** True when `version` meets the condition; a pre-release only one that names a pre-release. */
function meets(version: Version, { operator, version: wanted, exact }: Condition): boolean {
  const open = exact < 3
  const guarded = version.prerelease !== '' && wanted.prerelease === ''
  const order = compareVersions(version, wanted)
  const [major, minor, patch] = version.numbers
  const [M, m, p] = wanted.numbers
  if (operator === '!=') {
    if (!open) return order !== 0
    if (guarded) return false
    if (major !== M) return true
    if (exact < 2) return false
    if (minor !== m) return true
    return version.prerelease !== '' && wanted.prerelease !== '' && version.prerelease !== wanted.prerelease
  }
  if (guarded) return false
  switch (operator) {
    case '>':
      if (!open) return order > 0
      if (major !== M) return major > M
      return exact === 2 && minor > m
    case '<':
      return order < 0
    case '>=':
    case '=>':
      return order >= 0
    case '<=':
    case '=<':
      if (!open) return order <= 0
      return !(major > M || (major === M && minor > m && exact >= 2))
    case '^':
      if (order < 0) return false
      if (M > 0n || exact < 2) return major === M
      if (major > 0n) return false
      if (m > 0n || exact === 2) return minor === m
      return minor === 0n && patch === p
    case '':
    case '=':
      if (!open) return order === 0
  }
  // ~ and ~>, and equality with open numbers
  if (order < 0) return false
  if (M === 0n && m === 0n && p === 0n && exact !== 1 && exact !== 2) return true
  return major === M && (minor === m || exact < 2)
}

const HYPHEN = new RegExp(`\\s*(${NUMBER}${TAIL})\\s+-\\s+(${NUMBER}${TAIL})\\s*`, 'g')

/** True when the version meets the constraint (`>= 1.2, < 3 || ~4.5`). @throws Problem when either cannot be read */
function satisfies(constraint: string, text: string): boolean {
  if (constraint.length > 1024) throw new Problem('the constraint is longer than 1024 bytes')
  const plain = constraint.replace(HYPHEN, (_, from: string, ...rest: string[]) => `>= ${from}, <= ${rest[4]}`)
  const alternatives = plain.split('||').map(parseConditions)
  const version = parseVersion(text)
  return alternatives.some((all) => all.every((one) => meets(version, one)))
}

export const semver: Functions = {
  semver: define('s:a', ([text], meter) => {
    meter.spend(50)
    return parseVersion(text)
  }),
  semverCompare: define('ss:b', ([constraint, text], meter) => {
    meter.spend(200 + constraint.length * 2)
    return satisfies(constraint, text)
  }),
}
