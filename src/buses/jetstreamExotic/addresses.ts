/** Where the servers are and who one is there, as an EventBus and its access secret say it. */
import { parse } from 'yaml'
import type { NatsCredentials } from '../../clients/nats.ts'
import { percentDecoded } from '../../core/percent.ts'

/**
 * Addresses as upstream takes them: separated by commas, and with `user:password@` or `token@` in them if need be, which win over the
 * access secret (nats.go). They are taken out, for addresses are logged.
 */
export function addressesIn(url: string): { servers: string[]; credentials: NatsCredentials } {
  const written = url
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
  const parts = written.map((one) => /^([a-z]+:\/\/)?(?:(.*)@)?(.*)$/i.exec(one)!)
  const login = parts.find(([, , before]) => before !== undefined)?.[2]
  const servers = parts.map(([, scheme = '', , address]) => `${scheme}${address}`)
  if (login === undefined) return { servers, credentials: null }
  const [user, pass] = login.split(/:(.*)/s, 2).map(percentDecoded)
  return { servers, credentials: pass === undefined ? { token: user! } : { user: user!, pass } }
}

/** What the access secret holds: upstream's YAML with `username` and `password`, one with `token`, or just the token. */
export function credentialsIn(text: string): NatsCredentials {
  let value: unknown = text.trim()
  try {
    // Every scalar as it is written: a password of digits is no number.
    value = parse(text, { maxAliasCount: 0, schema: 'failsafe' })
  } catch {
    // A token that happens to be no YAML.
  }
  if (value === null || typeof value !== 'object') return { token: text.trim() }
  const { username, password, token } = value as Record<string, unknown>
  if (username !== undefined) return { user: String(username), pass: String(password ?? '') }
  return { token: String(token ?? '') }
}
