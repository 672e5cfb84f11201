/** The request target (RFC 9112 §3.2), as Go's server reads it. */
import { decodeUtf8 } from '../../core/utf8.ts'

export interface Target {
  /** Decoded. */
  path: string
  /** With its `?`, as sent; or empty. */
  search: string
  /** Path and query as sent, without scheme and host. */
  raw: string
}

/** @returns null when it is malformed: the request gets 400 */
export function parseTarget(text: string): Target | null {
  let raw = text
  if (!raw.startsWith('/')) {
    const absolute = /^https?:\/\/[^/?#]*(.*)$/i.exec(raw)
    if (absolute === null) return null
    raw = absolute[1]!.startsWith('/') ? absolute[1]! : `/${absolute[1]}`
  }
  const question = raw.indexOf('?')
  const sent = question < 0 ? raw : raw.slice(0, question)
  const path = PLAIN.test(sent) ? sent : decode(sent)
  return path === null ? null : { path, search: question < 0 ? '' : raw.slice(question), raw }
}

const PLAIN = /^[\x21-\x24\x26-\x7e]*$/

function decode(path: string): string | null {
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return null
  const bytes = path.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return decodeUtf8(Buffer.from(bytes, 'latin1'))
}

/** A path as Go encodes it in a `Location`. */
export function encodePath(path: string): string {
  return Buffer.from(path)
    .toString('latin1')
    .replace(/[^A-Za-z0-9\-_.~$&+,/:;=@]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}
