/**
 * Login by Athenz: a role token of ZTS, asked for with a principal token that is signed here, or with a certificate (Copper Argos). As
 * Pulsar's client for Go does it (`pulsar/auth/athenz.go`, with Athenz' `libs/go/zmssvctoken` and `libs/go/ztsroletoken`).
 */
import { randomBytes, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'
import { createRest, type RestOptions } from '../http/rest.ts'
import type { Login } from './wire.ts'

/** What `authAthenzParams` may hold. */
export const ATHENZ_PARAMS = [
  'providerDomain',
  'tenantDomain',
  'tenantService',
  'privateKey',
  'keyId',
  'x509CertChain',
  'caCert',
  'principalHeader',
  'roleHeader',
  'ztsUrl',
  'ztsProxyUrl',
] as const
type Name = (typeof ATHENZ_PARAMS)[number]

const PRINCIPAL_SECONDS = 3_600
/** What is asked of ZTS. */
const LEAST_SECONDS = 2 * 3_600
const MOST_SECONDS = 24 * 3_600
/** A role token that expires within this is replaced. */
const DRIFT_MS = 600_000

const HINTS = {
  401: ' (Athenz does not know the key: are tenantDomain, tenantService and keyId right?)',
  403: ' (the service has no role in providerDomain)',
  404: ' (ZTS does not know providerDomain)',
}

/** The parameters that are missing, or null. @param hasKey a Secret holds the private key */
export function missingAthenzParams(params: Readonly<Record<string, string>>, hasKey: boolean): string[] {
  const needed: Name[] = ['providerDomain', 'ztsUrl', ...(hasKey ? [] : (['privateKey'] as const))]
  if (!params.x509CertChain) needed.push('tenantDomain', 'tenantService')
  return needed.filter((name) => !params[name])
}

/**
 * @param privateKey PEM; what `params.privateKey` names when there is no Secret of it
 * @returns gives a token that is good for minutes at least. Throws ORIGIN_UNAVAILABLE when ZTS gives none, SPEC_INVALID for a key or
 * certificate that cannot be read
 */
export function athenzLogin({
  params,
  privateKey,
  clock,
  signal,
}: {
  params: Readonly<Record<string, string>>
  privateKey: () => Promise<string>
  clock: Clock
  signal: AbortSignal
}): () => Promise<Login> {
  const { providerDomain = '', ztsUrl = '', x509CertChain, caCert, ztsProxyUrl } = params
  let latest: { token: string; untilMs: number } | null = null

  const renew = async (): Promise<{ token: string; untilMs: number }> => {
    const key = await privateKey()
    const tls: RestOptions['tls'] = {}
    const headers: Record<string, string> = {}
    if (caCert) tls.ca = await pemAt('caCert', caCert)
    if (x509CertChain) Object.assign(tls, { cert: await pemAt('x509CertChain', x509CertChain), key })
    else headers[params.principalHeader || 'Athenz-Principal-Auth'] = principalToken(params, key, clock)
    const base = `${ztsUrl.replace(/\/$/, '')}/zts/v1`
    const zts = await createRest({ base, headers, clock, tls, hints: HINTS, proxy: ztsProxyUrl || undefined })
    const times = `minExpiryTime=${LEAST_SECONDS}&maxExpiryTime=${MOST_SECONDS}`
    const { body } = await zts.call('GET', `/domain/${encodeURIComponent(providerDomain)}/token?${times}`, signal)
    if (typeof body?.token !== 'string' || !Number.isFinite(body.expiryTime))
      throw fail('ORIGIN_UNAVAILABLE', `authentication: ${new URL(ztsUrl).host}: the answer of ZTS has no role token`)
    return { token: body.token, untilMs: body.expiryTime * 1_000 - DRIFT_MS }
  }
  return async () => {
    if (latest === null || clock.now() >= latest.untilMs) latest = await renew()
    const { token } = latest
    return { method: 'athenz', data: token, headers: { [params.roleHeader || 'Athenz-Role-Auth']: token } }
  }
}

/** @throws SPEC_INVALID when the key is none */
function principalToken(
  { tenantDomain, tenantService, keyId }: Readonly<Record<string, string>>,
  key: string,
  clock: Clock,
): string {
  const nowSeconds = Math.floor(clock.now() / 1_000)
  const fields = {
    v: 'S1',
    d: tenantDomain,
    n: tenantService,
    k: keyId || '0',
    h: hostname(),
    a: randomBytes(8).toString('hex'),
    t: nowSeconds,
    e: nowSeconds + PRINCIPAL_SECONDS,
  }
  const text = Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(';')
  try {
    return `${text};s=${ybase64(sign('sha256', Buffer.from(text), key))}`
  } catch (error) {
    // What a library says of a key may show it.
    const code = (error as { code?: string }).code ?? 'unreadable'
    throw fail('SPEC_INVALID', `the private key of Athenz is no PEM key (${code}): name one in authAthenzSecret`)
  }
}

/** Athenz' own form of base64. */
const ybase64 = (bytes: Buffer): string =>
  bytes.toString('base64').replaceAll('+', '.').replaceAll('/', '_').replaceAll('=', '-')

/**
 * @param uri `file:///path`, a path, or `data:application/x-pem-file;base64,…`
 * @throws SPEC_INVALID
 */
export async function pemAt(name: string, uri: string): Promise<string> {
  const data = /^data:application\/x-pem-file;base64,(.*)$/s.exec(uri)
  if (data !== null) return Buffer.from(data[1]!, 'base64').toString()
  const [, scheme = 'file', path = ''] = /^(?:([^:/?#]+):(?:\/\/)?)?(.*)$/s.exec(uri) ?? []
  if (scheme !== 'file')
    throw fail('SPEC_INVALID', `authAthenzParams.${name}: ${scheme}: cannot be read: write file:///path`)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw fail('SPEC_INVALID', `authAthenzParams.${name}: ${messageOf(error)}`)
  }
}
