/** The two Secrets of a native JetStream bus: made once, at random; names, keys and forms are upstream's. */
import { randomInt } from 'node:crypto'
import type { KubeObject } from '../../kube/resources.ts'
import { type Owner, owned } from '../objects.ts'
import { type KeyPair, makeCertificate } from '../x509.ts'
import { authConf } from './natsConf.ts'

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

/**
 * @param service the Service's host name, `<service>.<namespace>.svc`
 * @param now milliseconds since the epoch
 */
export function makeCredentials(owner: Owner, service: string, now: number): KubeObject[] {
  const { server, client } = secretNames(owner.name)
  const [user, password, systemPassword] = [random(12), random(24), random(24)]
  const hosts = [`${service}.cluster.local`, service]
  const clients = chain(hosts, ['server'], now)
  const routes = chain(
    hosts.map((host) => `*.${host}`),
    ['server', 'client'],
    now,
  )
  return [
    secret(owner, server, {
      auth: authConf(user, password, systemPassword),
      encryption: random(32),
      'private-key': clients.key,
      cert: clients.cert,
      'ca-cert': clients.ca,
      'cluster-private-key': routes.key,
      'cluster-cert': routes.cert,
      'cluster-ca-cert': routes.ca,
    }),
    secret(owner, client, { 'client-auth': `username: ${user}\npassword: ${password}` }),
  ]
}

function secret(owner: Owner, name: string, values: Record<string, string>): KubeObject {
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
function random(length: number): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const all = `${letters}0123456789`
  return Array.from(
    { length },
    (_, i) => (i === 0 ? letters : all)[randomInt(i === 0 ? letters.length : all.length)],
  ).join('')
}
