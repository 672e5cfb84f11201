/**
 * The scanner of Go's `encoding/json`: accepts what Go accepts, refuses what Go refuses, in Go's words (which upstream's
 * users see in answers). One pass over bytes, nothing allocated for text that is fine.
 */

/** What a scan found. */
export interface JsonScan {
  /** Go's message, or null when the text is JSON. */
  error: string | null
  /** Bytes of white space outside strings. */
  spaces: number
  /** Bytes that escaping `<`, `>`, `&`, U+2028 and U+2029 as `\u....` adds. */
  grows: number
}

/** Go's limit on nesting. */
const MAX_DEPTH = 10_000

const VALUE = 0
const VALUE_OR_CLOSE = 1
const KEY = 2
const KEY_OR_CLOSE = 3
const COLON = 4
const AFTER = 5

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c

/** Checks one JSON text. Time and memory are linear; nesting beyond Go's limit is an error. */
export function scanJson(bytes: Uint8Array): JsonScan {
  const scan: JsonScan = { error: null, spaces: 0, grows: 0 }
  const length = bytes.length
  // One byte per open bracket, 1 for an object; the current one also in `inObject`.
  let nesting = new Uint8Array(64)
  let depth = 0
  let inObject = false
  let expect = VALUE
  let at = 0
  const refuse = (why: string, where = at): JsonScan => {
    scan.error = `invalid character ${quoteChar(where < length ? bytes[where]! : 0x20)} ${why}`
    return scan
  }
  for (;;) {
    while (at < length && isSpace(bytes[at]!)) {
      at++
      scan.spaces++
    }
    if (at >= length) {
      if (expect !== AFTER || depth > 0) scan.error = 'unexpected end of JSON input'
      return scan
    }
    const c = bytes[at]!
    if (expect === AFTER) {
      if (depth === 0) return refuse('after top-level value')
      if (c === COMMA) expect = inObject ? KEY : VALUE
      else if (c === (inObject ? 0x7d : 0x5d)) inObject = nesting[--depth - 1] === 1
      else return refuse(inObject ? 'after object key:value pair' : 'after array element')
      at++
    } else if (expect === COLON) {
      if (c !== 0x3a) return refuse('after object key')
      expect = VALUE
      at++
    } else if ((expect === VALUE_OR_CLOSE && c === 0x5d) || (expect === KEY_OR_CLOSE && c === 0x7d)) {
      inObject = nesting[--depth - 1] === 1
      expect = AFTER
      at++
    } else if (c === QUOTE) {
      at = endOfString(bytes, at + 1, scan)
      if (scan.error !== null) return scan
      expect = expect === KEY || expect === KEY_OR_CLOSE ? COLON : AFTER
    } else if (expect === KEY || expect === KEY_OR_CLOSE) {
      return refuse('looking for beginning of object key string')
    } else if (c === 0x7b || c === 0x5b) {
      if (depth === MAX_DEPTH) return refuse('exceeded max depth')
      if (depth === nesting.length) nesting = grown(nesting)
      inObject = c === 0x7b
      nesting[depth++] = inObject ? 1 : 0
      expect = inObject ? KEY_OR_CLOSE : VALUE_OR_CLOSE
      at++
    } else if (c === 0x2d || isDigit(c)) {
      at = endOfNumber(bytes, at, refuse)
      if (scan.error !== null) return scan
      expect = AFTER
    } else {
      const literal = c === 0x74 ? 'true' : c === 0x66 ? 'false' : c === 0x6e ? 'null' : ''
      if (literal === '') return refuse('looking for beginning of value')
      for (let i = 1; i < literal.length; i++) {
        if (bytes[at + i] !== literal.charCodeAt(i))
          return refuse(`in literal ${literal} (expecting '${literal[i]}')`, at + i)
      }
      at += literal.length
      expect = AFTER
    }
  }
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 4)
  larger.set(bytes)
  return larger
}

const isSpace = (c: number): boolean => c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 0x30 && c <= 0x39
const isHex = (c: number | undefined): boolean =>
  isDigit(c) || (c !== undefined && ((c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66)))

/** 1 for the bytes that need no second look inside a string. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, c) =>
  c < 0x20 || '"\\<>&\xe2'.includes(String.fromCharCode(c)) ? 0 : 1,
)

/** @returns the place after the closing quote; on an error `scan.error` is set */
function endOfString(bytes: Uint8Array, from: number, scan: JsonScan): number {
  const length = bytes.length
  const refuse = (why: string, where: number): number => {
    scan.error = `invalid character ${quoteChar(where < length ? bytes[where]! : 0x20)} ${why}`
    return where
  }
  let at = from
  for (;;) {
    while (at < length && PLAIN[bytes[at]!] === 1) at++
    if (at >= length) break
    const c = bytes[at]!
    if (c === QUOTE) return at + 1
    if (c < 0x20) return refuse('in string literal', at)
    if (c === BACKSLASH) {
      const kind = bytes[at + 1]
      if (kind === 0x75) {
        for (let i = 2; i < 6; i++)
          if (!isHex(bytes[at + i])) return refuse('in \\u hexadecimal character escape', at + i)
        at += 6
      } else if (kind !== undefined && '"\\/bfnrt'.includes(String.fromCharCode(kind))) at += 2
      else return refuse('in string escape code', at + 1)
      continue
    }
    if (c === 0x3c || c === 0x3e || c === 0x26) scan.grows += 5
    else if (c === 0xe2 && isLineSeparator(bytes, at)) scan.grows += 3
    at++
  }
  scan.error = 'unexpected end of JSON input'
  return at
}

/** @returns the place after the number; an error is reported through `refuse` */
function endOfNumber(bytes: Uint8Array, from: number, refuse: (why: string, where: number) => unknown): number {
  let at = from
  const digitsElse = (why: string): boolean => {
    if (!isDigit(bytes[at])) {
      refuse(why, at)
      return false
    }
    while (isDigit(bytes[at])) at++
    return true
  }
  if (bytes[at] === 0x2d) at++
  if (bytes[at] === 0x30) at++
  else if (!digitsElse('in numeric literal')) return at
  if (bytes[at] === 0x2e) {
    at++
    if (!digitsElse('after decimal point in numeric literal')) return at
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at++
    if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++
    digitsElse('in exponent of numeric literal')
  }
  return at
}

/** True at the first byte of U+2028 or U+2029 in UTF-8. */
function isLineSeparator(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 1] === 0x80 && (bytes[at + 2] === 0xa8 || bytes[at + 2] === 0xa9)
}

const HEX = '0123456789abcdef'

/**
 * White space outside strings removed and HTML characters escaped, as Go's `appendCompact` does; all other bytes, also those
 * that are not UTF-8, stay as they are. @param scan of the same bytes, without an error
 * @returns `bytes` itself when there is nothing to change
 */
export function compactBytes(bytes: Uint8Array, { spaces, grows }: JsonScan): Uint8Array {
  if (spaces === 0 && grows === 0) return bytes
  const out = Buffer.allocUnsafe(bytes.length - spaces + grows)
  let to = 0
  let inString = false
  const writeEscaped = (code: number) => {
    to += out.write(`\\u${code.toString(16).padStart(4, '0')}`, to, 'latin1')
  }
  for (let at = 0; at < bytes.length; at++) {
    const c = bytes[at]!
    if (!inString) {
      if (isSpace(c)) continue
      inString = c === QUOTE
    } else if (c === BACKSLASH) {
      out[to++] = c
      out[to++] = bytes[++at]!
      continue
    } else if (c === QUOTE) inString = false
    else if (c === 0x3c || c === 0x3e || c === 0x26) {
      writeEscaped(c)
      continue
    } else if (c === 0xe2 && isLineSeparator(bytes, at)) {
      writeEscaped(0x2000 + bytes[at + 2]! - 0x80)
      at += 2
      continue
    }
    out[to++] = c
  }
  return out
}

/** A byte as Go quotes it in messages: read as Latin-1, with Go's escapes. */
function quoteChar(c: number): string {
  if (c === 0x27) return `'\\''`
  if (c === QUOTE) return `'"'`
  const short = ESCAPES[c]
  if (short !== undefined) return `'${short}'`
  if (c < 0x20 || c === 0x7f) return `'\\x${HEX[c >> 4]}${HEX[c & 15]}'`
  if ((c >= 0x80 && c <= 0xa0) || c === 0xad) return `'\\u00${HEX[c >> 4]}${HEX[c & 15]}'`
  return `'${String.fromCharCode(c)}'`
}

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  92: '\\\\',
}
