/**
 * Go strings are bytes: `len`, indexes and comparisons count bytes, and a slice may cut a character. Inside the filter
 * every string is therefore a JavaScript string with one byte (0–255) per unit, so that all of these come out as in
 * Go; only what looks at characters decodes.
 */

const ASCII = /^[\x00-\x7f]*$/

/** Text → byte string. Lone surrogates become U+FFFD, as Go decodes them. */
export function toBytes(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** Byte string → text; what is not UTF-8 becomes U+FFFD. */
export function fromBytes(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8')
}

/** A byte string as a buffer. */
export function bufferOf(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1')
}

export function isAscii(bytes: string): boolean {
  return ASCII.test(bytes)
}

/** The characters of a byte string, each as a byte string; a byte that is not UTF-8 stands alone. */
export function characters(bytes: string): string[] {
  if (ASCII.test(bytes)) return bytes.split('')
  const found: string[] = []
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i)
    found.push(bytes.slice(i, i + length))
    i += length
  }
  return found
}

/** Length of the UTF-8 sequence at `i`; 1 when it is not valid. */
function characterLength(bytes: string, i: number): number {
  const first = bytes.charCodeAt(i)
  const want = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1
  if (want === 1) return 1
  const second = bytes.charCodeAt(i + 1)
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (!(second >= low && second <= high)) return 1
  for (let k = 2; k < want; k++) {
    const next = bytes.charCodeAt(i + k)
    if (!(next >= 0x80 && next <= 0xbf)) return 1
  }
  return want
}

/** The code points of a byte string; a byte that is not UTF-8 is U+FFFD. */
export function codePoints(bytes: string): number[] {
  return characters(bytes).map((c) => {
    if (c.length === 1) return c.charCodeAt(0) < 0x80 ? c.charCodeAt(0) : 0xfffd
    return fromBytes(c).codePointAt(0) ?? 0xfffd
  })
}

/** Code points → byte string. */
export function ofCodePoints(points: number[]): string {
  return toBytes(points.map((p) => String.fromCodePoint(p >= 0xd800 && p < 0xe000 ? 0xfffd : p)).join(''))
}

/** Go's one-to-one upper-casing (`ß` stays, unlike in JavaScript). */
export function upperPoint(point: number): number {
  return single(String.fromCodePoint(point).toUpperCase(), point)
}

/** Go's one-to-one lower-casing. */
export function lowerPoint(point: number): number {
  return point === 0x130 ? 0x69 : single(String.fromCodePoint(point).toLowerCase(), point)
}

function single(mapped: string, point: number): number {
  const first = mapped.codePointAt(0) ?? point
  return mapped.length === String.fromCodePoint(first).length ? first : point
}

export function upper(bytes: string): string {
  return ASCII.test(bytes) ? bytes.toUpperCase() : ofCodePoints(codePoints(bytes).map(upperPoint))
}

export function lower(bytes: string): string {
  return ASCII.test(bytes) ? bytes.toLowerCase() : ofCodePoints(codePoints(bytes).map(lowerPoint))
}

const SPACE = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/
/** Go's `unicode.IsSpace`. */
export function isSpace(point: number): boolean {
  return SPACE.test(String.fromCodePoint(point))
}

const UPPER = /^\p{Lu}$/u
const LOWER = /^\p{Ll}$/u
const LETTER = /^\p{L}$/u
const NUMBER = /^\p{N}$/u
const PUNCTUATION = /^\p{P}$/u
export const isUpper = (point: number): boolean => UPPER.test(String.fromCodePoint(point))
export const isLower = (point: number): boolean => LOWER.test(String.fromCodePoint(point))
export const isLetter = (point: number): boolean => LETTER.test(String.fromCodePoint(point))
export const isNumber = (point: number): boolean => NUMBER.test(String.fromCodePoint(point))
export const isPunctuation = (point: number): boolean => PUNCTUATION.test(String.fromCodePoint(point))

/** Without leading and trailing white space. */
export function trimSpace(bytes: string): string {
  return trimWhere(bytes, (c) => isSpace(c.length === 1 ? c.charCodeAt(0) : (fromBytes(c).codePointAt(0) ?? 0xfffd)))
}

/** Without leading and trailing characters of `cutset`. */
export function trimSet(bytes: string, cutset: string): string {
  const cut = new Set(characters(cutset))
  return trimWhere(bytes, (c) => cut.has(c))
}

function trimWhere(bytes: string, drop: (character: string) => boolean): string {
  if (ASCII.test(bytes)) {
    let from = 0
    let to = bytes.length
    while (from < to && drop(bytes[from] as string)) from++
    while (to > from && drop(bytes[to - 1] as string)) to--
    return bytes.slice(from, to)
  }
  const all = characters(bytes)
  let from = 0
  let to = all.length
  while (from < to && drop(all[from] as string)) from++
  while (to > from && drop(all[to - 1] as string)) to--
  return all.slice(from, to).join('')
}

/** `strings.SplitN` / `SplitAfterN`: `limit` < 0 means all, 0 none. `keep` leaves the separator on each part. */
export function splitText(bytes: string, separator: string, limit: number, keep = false): string[] {
  if (limit === 0) return []
  if (separator === '') {
    const all = characters(bytes)
    if (limit < 0 || all.length <= limit) return all
    return [...all.slice(0, limit - 1), all.slice(limit - 1).join('')]
  }
  const parts: string[] = []
  let from = 0
  while (limit < 0 || parts.length < limit - 1) {
    const i = bytes.indexOf(separator, from)
    if (i < 0) break
    parts.push(bytes.slice(from, keep ? i + separator.length : i))
    from = i + separator.length
  }
  parts.push(bytes.slice(from))
  return parts
}

/** `strings.Replace`: at most `limit` times, < 0 means all; an empty `old` matches between characters. */
export function replaceText(bytes: string, old: string, by: string, limit: number): string {
  if (limit === 0 || old === by) return bytes
  if (old !== '') {
    const parts = splitText(bytes, old, limit < 0 ? -1 : limit + 1)
    return parts.join(by)
  }
  const all = characters(bytes)
  const most = limit < 0 ? all.length + 1 : Math.min(limit, all.length + 1)
  return all.map((c, i) => (i < most ? by + c : c)).join('') + (most > all.length ? by : '')
}
