/** The certificates that SNS signs with: fetched from SNS only, few at a time, kept, and never followed elsewhere. */
import { X509Certificate } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { createGate } from '../../core/gate.ts'

const FETCH_MS = 5_000
const MOST_BYTES = 65_536
/** How long a certificate is used before it is fetched again. */
const KEEP_MS = 24 * 3_600_000
/** How long nothing is tried again: where there is none, and where nobody answered. */
const KEEP_DENIAL_MS = 600_000
const KEEP_FAILURE_MS = 5_000
const MOST_KEPT = 16
const MOST_FAILURES = 1_000
/** Who has not been recognised can name any number of URLs: so many are fetched at a time, the others are told to come back. */
const FETCHES_AT_ONCE = 4
const PATH = /^\/SimpleNotificationService-[0-9a-fA-F]{1,64}\.pem$/

export interface Certificates {
  /**
   * @throws EVENT_INVALID when the URL is not one of SNS in the topic's region, or what is there is no certificate that holds now;
   * ORIGIN_UNAVAILABLE when it cannot be fetched now
   */
  get(url: string): Promise<X509Certificate>
}

interface Kept {
  certificate: Promise<X509Certificate>
  /** Monotonic milliseconds. */
  untilMs: number
}

/**
 * The host of SNS in a topic's region: GovCloud's regions are in the same domain, China's are not. Null when the ARN is none of these.
 * @param topicArn `arn:<partition>:sns:<region>:<account>:<name>`
 */
export function snsHost(topicArn: string): string | null {
  const [, partition, region] = /^arn:(aws|aws-us-gov|aws-cn):sns:([a-z]{2,}(?:-[a-z]+)+-\d+):/.exec(topicArn) ?? []
  if (region === undefined) return null
  return `sns.${region}.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}`
}

/**
 * @param endpoint the entry's own SNS endpoint, or empty: certificates are taken from there too
 * @param fetchCertificate for tests: hosts of AWS are not reachable there
 */
export function createCertificates({
  clock,
  topicArn,
  endpoint,
  fetchCertificate = download,
}: {
  clock: Clock
  topicArn: string
  endpoint: string
  fetchCertificate?: (url: URL, signal: AbortSignal) => Promise<string>
}): Certificates {
  const host = snsHost(topicArn)
  /** Apart, so that no number of failures drives a good one out. */
  const good = new Map<string, Kept>()
  const bad = new Map<string, Kept>()
  const underWay = new Map<string, Promise<X509Certificate>>()
  const gate = createGate(FETCHES_AT_ONCE, 0)

  const load = async (url: URL): Promise<X509Certificate> => {
    const late = new AbortController()
    const cancel = clock.after(FETCH_MS, () => late.abort(new Error(`no answer within ${FETCH_MS / 1000} s`)))
    try {
      return parse(await fetchCertificate(url, late.signal))
    } finally {
      cancel()
    }
  }

  const keep = (kept: Map<string, Kept>, most: number, href: string, one: Kept): void => {
    kept.delete(href)
    if (kept.size >= most) kept.delete(kept.keys().next().value!)
    kept.set(href, one)
  }

  const fetched = (url: URL): Promise<X509Certificate> => {
    const certificate = underWay.get(url.href) ?? gate.through(() => load(url))
    if (certificate === null) {
      throw fail('ORIGIN_UNAVAILABLE', 'failed to fetch signing cert, too many others are being fetched')
    }
    if (underWay.has(url.href)) return certificate
    underWay.set(url.href, certificate)
    certificate
      .then(
        () => keep(good, MOST_KEPT, url.href, { certificate, untilMs: clock.monotonic() + KEEP_MS }),
        (error: unknown) => {
          const forMs = isDenial(error) ? KEEP_DENIAL_MS : KEEP_FAILURE_MS
          keep(bad, MOST_FAILURES, url.href, { certificate, untilMs: clock.monotonic() + forMs })
        },
      )
      .finally(() => underWay.delete(url.href))
    return certificate
  }

  return {
    async get(text) {
      const url = checked(text, host, endpoint)
      const now = clock.monotonic()
      const kept = [good.get(url.href), bad.get(url.href)].find((one) => one !== undefined && one.untilMs > now)
      const certificate = await (kept?.certificate ?? fetched(url))
      const wall = clock.now()
      if (wall < Date.parse(certificate.validFrom) || wall > Date.parse(certificate.validTo))
        throw fail('EVENT_INVALID', 'the signing certificate is not valid now')
      return certificate
    },
  }
}

/** The host answered that it has none, or what it has is none. */
const isDenial = (error: unknown): boolean =>
  isVedetteError(error) && (error.code === 'EVENT_INVALID' || /^4\d\d$/.test(String(error.details.status)))

/** @param host of SNS in the topic's region */
function checked(text: string, host: string | null, endpoint: string): URL {
  const url = URL.parse(text)
  const refuse = (why: string) => fail('EVENT_INVALID', `failed to verify SigningCertURL, SigningCertURL ${why}`)
  if (url === null) throw refuse('is not a valid URL')
  if (endpoint !== '' && url.origin === URL.parse(endpoint)?.origin) return url
  if (url.hostname !== host) {
    throw refuse(`hostname \`${url.hostname.slice(0, 100)}\` does not match \`${host ?? 'topicArn has no region'}\``)
  }
  if (url.protocol !== 'https:') throw refuse('is not using https')
  if (url.port !== '' || url.username !== '' || url.password !== '') throw refuse('has a port or a user')
  if (!PATH.test(url.pathname) || url.search !== '') throw refuse('is not the path of a certificate of SNS')
  url.hash = ''
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
  let status: number | undefined
  try {
    // undici's request follows no redirect.
    const { statusCode, body } = await request(url, { signal })
    status = statusCode
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
    throw fail('ORIGIN_UNAVAILABLE', `failed to fetch signing cert, ${messageOf(error)}`, { status })
  }
}
