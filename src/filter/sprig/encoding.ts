import { createHash } from 'node:crypto'
import { decodeBytes, encodeJson, fromBase64, type JsonStyle, toBase64 } from '../json.ts'
import type { Meter } from '../limits.ts'
import { swallow } from '../problem.ts'
import { bufferOf } from '../text.ts'
import type { Value } from '../values.ts'
import { define, type Functions } from './define.ts'

const json = (style: JsonStyle) => define('a:s', ([x], meter) => encodeJson(x, meter, style))
const lenientJson = (style: JsonStyle) => define('a:s', ([x], meter) => swallow(() => encodeJson(x, meter, style), ''))

function hash(algorithm: string) {
  return define('s:s', ([text], meter) => {
    meter.scan(text.length)
    return createHash(algorithm).update(bufferOf(text)).digest('hex')
  })
}

function adler32(text: string): string {
  let a = 1
  let b = 0
  for (let i = 0; i < text.length; i++) {
    a = (a + text.charCodeAt(i)) % 65_521
    b = (b + a) % 65_521
  }
  return String(b * 65_536 + a)
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function toBase32(text: string): string {
  let out = ''
  let bits = 0
  let held = 0
  for (let i = 0; i < text.length; i++) {
    held = ((held << 8) | text.charCodeAt(i)) & 0xffff
    for (bits += 8; bits >= 5; bits -= 5) out += ALPHABET[(held >> (bits - 5)) & 31]
  }
  if (bits > 0) out += ALPHABET[(held << (5 - bits)) & 31]
  return out.padEnd(Math.ceil(out.length / 8) * 8, '=')
}

function fromBase32(text: string): string | undefined {
  const compact = text.replace(/[\r\n]/g, '')
  if (compact.length % 8 !== 0 || !/^[A-Z2-7]*(?:={0,6})$/.test(compact)) return undefined
  const padding = compact.length - compact.replace(/=+$/, '').length
  if (![0, 1, 3, 4, 6].includes(padding) || (padding === compact.length && compact !== '')) return undefined
  let out = ''
  let bits = 0
  let held = 0
  for (const c of compact.replace(/=+$/, '')) {
    held = ((held << 5) | ALPHABET.indexOf(c)) & 0xffff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      out += String.fromCharCode((held >> bits) & 0xff)
    }
  }
  return out
}

/** Where base64 stops being right, as Go says it. */
function base64Fault(text: string): string {
  const bad = /[^A-Za-z0-9+/\r\n]/.exec(text)
  return `illegal base64 data at input byte ${bad === null ? text.length - (text.length % 4) : bad.index}`
}

export const encoding: Functions = {
  fromJson: define('s:a', ([text], meter) => swallow((): Value => decodeBytes(text, meter), null)),
  mustFromJson: define('s:a', ([text], meter) => decodeBytes(text, meter)),
  toJson: lenientJson({}),
  toPrettyJson: lenientJson({ pretty: true }),
  toRawJson: json({ raw: true }),
  mustToJson: json({}),
  mustToPrettyJson: json({ pretty: true }),
  mustToRawJson: json({ raw: true }),
  b64enc: define('s:s', ([text], meter) => grow(toBase64(text), meter)),
  b64dec: define('s:s', ([text], meter) =>
    grow(
      swallow(() => fromBase64(text), base64Fault(text)),
      meter,
    ),
  ),
  b32enc: define('s:s', ([text], meter) => {
    meter.spend(text.length)
    return grow(toBase32(text), meter)
  }),
  b32dec: define('s:s', ([text], meter) => {
    meter.spend(text.length)
    return grow(fromBase32(text) ?? 'illegal base32 data at input byte 0', meter)
  }),
  sha1sum: hash('sha1'),
  sha256sum: hash('sha256'),
  sha512sum: hash('sha512'),
  adler32sum: define('s:s', ([text], meter) => {
    meter.spend(text.length / 8)
    return adler32(text)
  }),
}

function grow(text: string, meter: Meter): string {
  meter.text(text.length)
  return text
}
