/** The two Secrets of a native JetStream bus that all share: made once, at random; names, keys and forms are upstream's. */
import { randomInt } from 'node:crypto'
import type { KubeObject } from '../../kube/resources.ts'
import { type Owner, owned } from '../objects.ts'
import { type KeyPair, makeCertificate } from '../x509.ts'
import { authConf } from './natsConf.ts'
import { readAuth } from './users.ts'

const YEARS_10 = 10 * 365.25 * 86_400_000

/** What is in them, for who only looks (`vedette render`). */
export const secretKeys = {
  server: [
    'auth',
    'encryption',
    'private-key',
    'cert',
    'ca-cert',
    'cluster-private-key',
    'cluster-cert',
    'cluster-ca-cert',
  ],
  client: ['client-auth'],
} as const

export function secretNames(bus: string): { server: string; client: string } {
  return { server: `eventbus-${bus}-js-server`, client: `eventbus-${bus}-js-client-auth` }
}

/** Values by key; undefined: there is no such Secret. */
export interface Found {
  server: Record<string, string> | undefined
  client: Record<string, string> | undefined
}

export interface Mended {
  /** As they should be; what was found is never changed. Null: the Secret is complete. */
  server: KubeObject | null
  client: KubeObject | null
  /** What was made anew though there had been something, and what that means. */
  remade: string[]
  /** Why the key of what is on the disks is not made anew. */
  keyLost: boolean
}

export interface MendOptions {
  owner: Owner
  /** The Service's host name, `<service>.<namespace>.svc`. */
  service: string
  /** Whether there are, or have been, servers of this bus. */
  served: boolean
  /** Whether what is on their disks is encrypted with the key of the Secret. */
  keyInUse: boolean
  /** Milliseconds since the epoch. */
  now: number
}

/** Makes what is missing, and nothing else: of each Secret, and of each key of it. */
export function mendCredentials({ server, client }: Found, options: MendOptions): Mended {
  const { owner, service, served, keyInUse, now } = options
  const names = secretNames(owner.name)
  const has = (key: string) => (server?.[key] ?? '') !== ''
  const remade: string[] = []
  const login = loginIn(readAuth(server?.auth ?? '').base) ??
    loginOf(client?.['client-auth']) ?? { user: random(12), password: random(24) }
  const values: Record<string, string> = {}
  if (!has('auth')) values.auth = authConf(login.user, login.password, random(24))
  if (!has('auth') && !client?.['client-auth'] && served)
    remade.push('user and password: clients and servers take them when their mounts are renewed, within minutes')
  const keyLost = !has('encryption') && served && keyInUse
  if (!has('encryption') && !keyLost) values.encryption = random(32)
  for (const { prefix, names, usages } of chains(service)) {
    const [cert, key, ca] = [`${prefix}cert`, `${prefix}private-key`, `${prefix}ca-cert`] as const
    if (has(cert) && has(key) && has(ca)) continue
    const made = chain(names, usages, now)
    Object.assign(values, { [cert]: made.cert, [key]: made.key, [ca]: made.ca })
    if (served)
      remade.push(
        `${cert}, ${key} and ${ca}: servers take them when their mounts are renewed, within minutes; a server that was started in between joins then`,
      )
  }
  const clientAuth = clientAuthOf(login)
  return {
    server: Object.keys(values).length === 0 ? null : secretObject(owner, names.server, { ...server, ...values }),
    client: client?.['client-auth']
      ? null
      : secretObject(owner, names.client, { ...client, 'client-auth': clientAuth }),
    remade,
    keyLost,
  }
}

/** Both Secrets of a bus that there has never been. */
export function makeCredentials(owner: Owner, service: string, now: number): KubeObject[] {
  const none = { server: undefined, client: undefined }
  const { server, client } = mendCredentials(none, { owner, service, served: false, keyInUse: false, now })
  return [server!, client!]
}

/** The chains of clients' and of servers' connections; a certificate is of no use without its fellows. */
function chains(service: string): { prefix: string; names: string[]; usages: ('server' | 'client')[] }[] {
  const hosts = [`${service}.cluster.local`, service]
  return [
    { prefix: '', names: hosts, usages: ['server'] },
    { prefix: 'cluster-', names: hosts.map((host) => `*.${host}`), usages: ['server', 'client'] },
  ]
}

export interface Login {
  user: string
  password: string
}

/** The first user of the account of events in `auth.conf`, ours or upstream's. */
function loginIn(auth: string): Login | undefined {
  const word = '"?([^"\\s,}]+)"?'
  const found = new RegExp(
    `"?js"?\\s*:?\\s*\\{[^]*?"?user"?\\s*:\\s*${word}\\s*,\\s*"?pass(?:word)?"?\\s*:\\s*${word}`,
  ).exec(auth)
  return found === null ? undefined : { user: found[1]!, password: found[2]! }
}

/** In the form of `client-auth`. */
export function loginOf(clientAuth: string | undefined): Login | undefined {
  const [, user] = /^username:\s*"?([^"\s]+)/m.exec(clientAuth ?? '') ?? []
  const [, password] = /^password:\s*"?([^"\s]+)/m.exec(clientAuth ?? '') ?? []
  return user === undefined || password === undefined ? undefined : { user, password }
}

/** What clients read, upstream's form. */
export function clientAuthOf({ user, password }: Login): string {
  return `username: ${user}\npassword: ${password}`
}

/** The decoded values of a Secret. */
export function valuesIn(secret: KubeObject | null): Record<string, string> | undefined {
  if (secret === null) return undefined
  const data = Object.entries((secret.data ?? {}) as Record<string, string>)
  return Object.fromEntries(data.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}

export function secretObject(owner: Owner, name: string, values: Record<string, string>): KubeObject {
  const data = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  )
  return owned(owner, { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'Opaque', data })
}

/** A certificate and the authority that signed it; the authority's key is forgotten at once. */
function chain(names: string[], usages: ('server' | 'client')[], now: number): KeyPair & { ca: string } {
  const times = { notBefore: now - 3_600_000, notAfter: now + YEARS_10 }
  const ca = makeCertificate({ commonName: 'vedette eventbus ca', authority: true, ...times })
  const issuer = { commonName: 'vedette eventbus ca', key: ca.key }
  return { ...makeCertificate({ commonName: 'vedette eventbus', names, usages, issuer, ...times }), ca: ca.cert }
}

/** Begins with a letter: what looks like a number is none in YAML and in the server's configuration. */
export function random(length: number): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const all = `${letters}0123456789`
  return Array.from(
    { length },
    (_, i) => (i === 0 ? letters : all)[randomInt(i === 0 ? letters.length : all.length)],
  ).join('')
}
