/**
 * Bytes read as UTF-8 the way Go ranges over a string: each byte that does not belong to a valid sequence becomes one
 * U+FFFD (the Web's decoders fold several into one).
 */
export function decodeUtf8(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  return text.includes('\ufffd') ? decodeBytewise(bytes) : text
}

/** Text whose characters stand for bytes (`latin1`, as node:http hands headers over), read as UTF-8. */
export function utf8FromLatin1(text: string): string {
  return ASCII.test(text) ? text : decodeUtf8(Buffer.from(text, 'latin1'))
}

const ASCII = /^[\x00-\x7f]*$/

function decodeBytewise(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ''
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at)
    text += length === 0 ? '\ufffd' : buffer.toString('utf8', at, at + length)
    at += length || 1
  }
  return text
}

/** The length of the valid UTF-8 sequence at `at`, or 0 (RFC 3629, table 3-7 of the Unicode standard). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return 1
  const length =
    first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0
  for (let i = 1; i < length; i++) {
    const c = bytes[at + i] ?? 0
    const low = i > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const high = i > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (c < low || c > high) return 0
  }
  return length
}
