/** The certificates that SNS signs with: fetched from SNS only, kept, and never followed elsewhere. */
import { X509Certificate } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'

/** Hosts of SNS, as upstream has them. */
const SNS_HOST = /^sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?$/
const FETCH_MS = 5_000
const MOST_BYTES = 65_536
/** How long a certificate is used before it is fetched again, and a failure before it is tried again. */
const KEEP_MS = 24 * 3_600_000
const KEEP_FAILURE_MS = 5_000
const MOST_KEPT = 16

export interface Certificates {
  /**
   * @throws EVENT_INVALID when the URL is not one of SNS, or what is there is no certificate that holds now; ORIGIN_UNAVAILABLE
   * when it cannot be fetched now
   */
  get(url: string): Promise<X509Certificate>
}

/**
 * @param endpoint the entry's own SNS endpoint, or empty: certificates are taken from there too
 * @param fetchCertificate for tests: hosts of AWS are not reachable there
 */
export function createCertificates({
  clock,
  endpoint,
  fetchCertificate = download,
}: {
  clock: Clock
  endpoint: string
  fetchCertificate?: (url: URL, signal: AbortSignal) => Promise<string>
}): Certificates {
  const kept = new Map<string, { certificate: Promise<X509Certificate>; untilMs: number }>()

  const load = async (url: URL): Promise<X509Certificate> => {
    const late = new AbortController()
    const cancel = clock.after(FETCH_MS, () => late.abort(new Error(`no answer within ${FETCH_MS / 1000} s`)))
    try {
      return parse(await fetchCertificate(url, late.signal))
    } finally {
      cancel()
    }
  }

  return {
    async get(text) {
      const url = checked(text, endpoint)
      const now = clock.monotonic()
      let found = kept.get(url.href)
      if (found === undefined || found.untilMs <= now) {
        // The oldest goes: senders can name any number of URLs.
        if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value!)
        found = { certificate: load(url), untilMs: now + KEEP_MS }
        const mine = found
        mine.certificate.catch(() => {
          mine.untilMs = clock.monotonic() + KEEP_FAILURE_MS
        })
        kept.set(url.href, found)
      }
      const certificate = await found.certificate
      const wall = clock.now()
      if (wall < Date.parse(certificate.validFrom) || wall > Date.parse(certificate.validTo))
        throw fail('EVENT_INVALID', 'the signing certificate is not valid now')
      return certificate
    },
  }
}

function checked(text: string, endpoint: string): URL {
  const url = URL.parse(text)
  const refuse = (why: string) => fail('EVENT_INVALID', `failed to verify SigningCertURL, SigningCertURL ${why}`)
  if (url === null) throw refuse('is not a valid URL')
  if (endpoint !== '' && url.origin === URL.parse(endpoint)?.origin) return url
  if (!SNS_HOST.test(url.hostname)) {
    throw refuse(`hostname \`${url.hostname.slice(0, 100)}\` does not match \`${SNS_HOST.source}\``)
  }
  if (url.protocol !== 'https:') throw refuse('is not using https')
  if (url.port !== '' || url.username !== '' || url.password !== '') throw refuse('has a port or a user')
  return url
}

function parse(pem: string): X509Certificate {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw fail('EVENT_INVALID', 'nothing found in pem encoded bytes')
  try {
    return new X509Certificate(pem)
  } catch (error) {
    throw fail('EVENT_INVALID', `failed to parse signing cert, ${messageOf(error)}`)
  }
}

async function download(url: URL, signal: AbortSignal): Promise<string> {
  const { request } = await import('undici')
  try {
    // undici's request follows no redirect.
    const { statusCode, body } = await request(url, { signal })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of body) {
      bytes += (chunk as Buffer).length
      if (bytes > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`)
      chunks.push(chunk as Buffer)
    }
    if (statusCode !== 200) throw new Error(`${url.host} answered ${statusCode}`)
    return Buffer.concat(chunks).toString('latin1')
  } catch (error) {
    throw fail('ORIGIN_UNAVAILABLE', `failed to fetch signing cert, ${messageOf(error)}`)
  }
}
