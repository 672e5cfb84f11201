import {
  codePoints,
  fromBytes,
  isLower,
  isSpace,
  isUpper,
  lowerPoint,
  ofCodePoints,
  toBytes,
  upperPoint,
} from '../text.ts'

/** Sprig's spellings of names: `snakecase`, `kebabcase`, `camelcase`, and its word-wise case changes. */

const CONNECTOR = /[-_\s]/u
type Word = { kind: 'upper' | 'alphabet' | 'number' | 'connector' | 'punctuation' | 'other'; text: string }

const LOW = '[\\p{L}--\\p{Lu}--\\p{Script=Han}]'
const WORDS: readonly [Word['kind'], RegExp][] = [
  ['connector', /[-_\s]+/uy],
  ['punctuation', /\p{P}+/uy],
  // `HTTPServer` is HTTP and Server: the last capital before a small letter begins the next word.
  ['upper', new RegExp(`\\p{Lu}+(?=\\p{Lu}${LOW})|\\p{Lu}{2,}|\\p{Lu}${LOW}*`, 'vy')],
  ['alphabet', new RegExp(`${LOW}+`, 'vy')],
  ['number', /\p{N}+/uy],
  ['other', /[^-_\s\p{N}\p{P}](?:(?![-_\s\p{N}\p{P}\p{Lu}\p{Ll}])[\s\S])*/uy],
]

function words(text: string): Word[] {
  const found: Word[] = []
  // Copies, since a sticky pattern remembers where it stands.
  const patterns = WORDS.map(([kind, pattern]) => [kind, new RegExp(pattern)] as const)
  for (let at = 0; at < text.length; ) {
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at
      const match = pattern.exec(text)
      if (match !== null) {
        found.push({ kind, text: match[0] })
        at += match[0].length
        break
      }
    }
  }
  return found
}

/** `HTTP20xOK` → `http_20x_ok`. */
export function separated(bytes: string, connector: string): string {
  const list = words(fromBytes(bytes))
  const shown = ({ kind, text }: Word): string => {
    if (kind === 'connector') return text.replace(/./gsu, connector)
    return kind === 'upper' ? fromBytes(ofCodePoints(codePoints(toBytes(text)).map(lowerPoint))) : text
  }
  const isWordy = (word: Word | undefined) =>
    word !== undefined && word.kind !== 'connector' && word.kind !== 'punctuation'
  const joins = (word: Word | undefined) => word?.kind === 'alphabet' || word?.kind === 'number'
  let out = ''
  for (let i = 0; i < list.length; i++) {
    const word = list[i] as Word
    out += shown(word)
    let next = list[i + 1]
    if (word.kind === 'connector' || word.kind === 'punctuation' || next === undefined) continue
    if (word.kind !== 'number') {
      if (next.kind !== 'number') {
        if (isWordy(next)) out += connector
        continue
      }
      // A number at the end, or before a capital, belongs to the word before it; before small letters it begins a word.
      const after = list[i + 2]
      if (after === undefined) continue
      i++
      if (after.kind !== 'alphabet') {
        out += shown(next)
        if (isWordy(after)) out += connector
        continue
      }
      out += connector + shown(next)
      next = list[i + 1]
    }
    while (joins(next)) {
      out += shown(next as Word)
      i++
      next = list[i + 1]
    }
    if (isWordy(next)) out += connector
  }
  return toBytes(out)
}

/** `some_words` → `SomeWords`; connectors at the ends stay. */
export function pascal(bytes: string): string {
  const points = [...fromBytes(bytes)]
  let first = 0
  while (first < points.length && CONNECTOR.test(points[first] as string)) first++
  if (first >= points.length) return bytes
  const up = (c: string) => String.fromCodePoint(upperPoint(c.codePointAt(0) as number))
  const low = (c: string) => String.fromCodePoint(lowerPoint(c.codePointAt(0) as number))
  const upper = (c: string) => isUpper(c.codePointAt(0) as number)
  let out = points.slice(0, first).join('')
  let shouting = upper(points[first] as string)
  let current = up(points[first] as string)
  for (const point of points.slice(first + 1)) {
    const before = current
    current = point
    if (CONNECTOR.test(current) && CONNECTOR.test(before)) {
      out += before
    } else if (CONNECTOR.test(before)) {
      shouting = upper(current)
      current = up(current)
    } else {
      if (shouting) {
        if (upper(current)) current = low(current)
        else shouting = false
      }
      out += before
    }
  }
  return toBytes(out + current)
}

/** Maps the first letter of each word (what white space separates). */
export function uncapitalized(bytes: string): string {
  let start = true
  return mapPoints(bytes, (point) => {
    if (isSpace(point)) {
      start = true
      return point
    }
    const mapped = start ? lowerPoint(point) : point
    start = false
    return mapped
  })
}

/** Upper-cases what follows anything but letters, digits, `_` and marks (Go's `strings.Title`). */
export function titled(bytes: string): string {
  let previous = 0x20
  return mapPoints(bytes, (point) => {
    const text = String.fromCodePoint(previous)
    const separates = previous < 0x80 ? !/\w/.test(text) : !/[\p{L}\p{Nd}]/u.test(text) && isSpace(previous)
    previous = point
    return separates ? upperPoint(point) : point
  })
}

/** Small letters capital and capitals small. */
export function swapped(bytes: string): string {
  return mapPoints(bytes, (point) => {
    if (isUpper(point) || /^\p{Lt}$/u.test(String.fromCodePoint(point))) return lowerPoint(point)
    return isLower(point) ? upperPoint(point) : point
  })
}

function mapPoints(bytes: string, map: (point: number) => number): string {
  return ofCodePoints(codePoints(bytes).map(map))
}
