/** How long the certificates of a native bus are good for, told from its Secret. Pure. */
import { X509Certificate } from 'node:crypto'
import { type Condition, warning } from '../conditions.ts'

const SOON_MS = 30 * 86_400_000
const KEYS = ['cert', 'ca-cert', 'cluster-cert', 'cluster-ca-cert']

/** @param values of the server Secret; @param now milliseconds since the epoch; @returns nothing while all is well */
export function endOfCertificates(values: Record<string, string>, secret: string, now: number): Condition[] {
  const ends = KEYS.flatMap((key) => {
    const atMs = endOf(values[key])
    return atMs === null || atMs - now > SOON_MS ? [] : [{ key, atMs }]
  })
  if (ends.length === 0) return []
  const which = ends.map(
    ({ key, atMs }) => `${key} ${atMs < now ? 'has ended' : 'ends'} on ${new Date(atMs).toISOString().slice(0, 10)}`,
  )
  const chains = new Set(ends.map(({ key }) => (key.startsWith('cluster-') ? 'cluster-cert' : 'cert')))
  const text = `Secret ${secret}: ${which.join(', ')}. Take the key ${[...chains].join(' and ')} out of it, and a new chain is made for ten years; servers and clients take it without a restart`
  return [
    warning('CertificateEnds', ends.some(({ atMs }) => atMs < now) ? 'CertificateEnded' : 'CertificateEndsSoon', text),
  ]
}

/** Null for what is no certificate: then there is nothing to tell. */
function endOf(pem: string | undefined): number | null {
  try {
    return Date.parse(new X509Certificate(pem ?? '').validTo)
  } catch {
    return null
  }
}
