/** What is wrong with a connection, in words that say which layer: DNS, TCP, TLS. */
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'

const TCP: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
}

/** @param where `host:port`, without credentials @returns ORIGIN_UNAVAILABLE, or `error` itself when it is one of ours */
export function networkError(error: unknown, where: string): VedetteError {
  if (isVedetteError(error)) return error
  const inner = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
  const code = String((inner as { code?: unknown } | null)?.code ?? '')
  // Those of OpenSSL end with their line.
  const message = messageOf(inner).trim()
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', text, { where }, { cause: error })
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA')
    return say(`DNS: the host of ${where} is not known (${code})`)
  if (TCP[code] !== undefined) return say(`TCP: ${where}: ${TCP[code]} (${code})`)
  if (isTlsCode(code) || /\b(SSL|TLS|certificate|wrong version number)\b/i.test(message))
    return say(`TLS: ${where}: ${message}`)
  if (/timed? ?out|ETIMEDOUT/i.test(message)) return say(`TCP: ${where}: no answer (${message})`)
  return say(`${where}: ${message}`)
}

/** Codes of OpenSSL's verification, as node:tls passes them on. */
function isTlsCode(code: string): boolean {
  return /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/.test(code)
}
