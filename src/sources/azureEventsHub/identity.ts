/**
 * Tokens that Microsoft Entra ID gives to what the process runs as, by the variables that Azure's own clients go by: an application's secret,
 * certificate or password, workload identity, managed identity, and `az login`. The first that is there is asked.
 */
import { execFile } from 'node:child_process'
import { createHash, createPrivateKey, randomUUID, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'
import { jsonWebToken } from '../http/jwt.ts'
import { createRest, type RestOptions } from '../http/rest.ts'

export interface IdentityOptions {
  /** What the token is for, such as `https://eventhubs.azure.net/`. */
  resource: string
  /** The variables of the process. */
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  signal: AbortSignal
}

export interface EntraToken {
  token: string
  /** Milliseconds since the epoch. */
  endsAtMs: number
}

const METADATA_HOST = 'http://169.254.169.254'
/** A metadata service is near, or is none. */
const PROBE_MS = 1_000
const MINUTE_S = 60

/** @throws why there is none: what Entra ID answers, or that nothing says who this process is */
export async function entraToken(options: IdentityOptions): Promise<EntraToken> {
  const { env } = options
  const proof = await proofOf(options)
  if (proof !== null) return await asApplication(proof, options)
  if (env.IDENTITY_ENDPOINT && env.IDENTITY_HEADER) {
    const headers = { 'x-identity-header': env.IDENTITY_HEADER }
    return await asManagedIdentity(env.IDENTITY_ENDPOINT, '2019-08-01', headers, options)
  }
  const virtualMachine = await onVirtualMachine(options).catch((error: Error) => error)
  if (!(virtualMachine instanceof Error)) return virtualMachine
  options.signal.throwIfAborted()
  return await byCommandLine(options).catch((error: unknown) => {
    options.signal.throwIfAborted()
    const variables = 'no AZURE_TENANT_ID and AZURE_CLIENT_ID with a secret, certificate, password or federated token'
    throw new Error(`${variables}; managed identity: ${virtualMachine.message}; az: ${messageOf(error)}`)
  })
}

/** What an application proves itself with: members of the form that it posts. */
type Proof = Record<string, string>

/** Null when the variables name no application. */
async function proofOf({ env, clock }: IdentityOptions): Promise<Proof | null> {
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, AZURE_CLIENT_CERTIFICATE_PATH: certificate } = env
  if (!tenant || !client) return null
  if (env.AZURE_CLIENT_SECRET) return { client_secret: env.AZURE_CLIENT_SECRET }
  if (certificate) return assertion(await signedBy(certificate, env, clock.now()))
  if (env.AZURE_USERNAME && env.AZURE_PASSWORD)
    return { grant_type: 'password', username: env.AZURE_USERNAME, password: env.AZURE_PASSWORD }
  // It is renewed, so it is read each time.
  if (env.AZURE_FEDERATED_TOKEN_FILE) return assertion(await readFile(env.AZURE_FEDERATED_TOKEN_FILE, 'utf8'))
  return null
}

const assertion = (client_assertion: string): Proof => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion,
})

/** https://learn.microsoft.com/entra/identity-platform/certificate-credentials */
async function signedBy(path: string, env: IdentityOptions['env'], nowMs: number): Promise<string> {
  const pem = await readFile(path, 'utf8')
  const certificates = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one).raw,
  )
  if (certificates[0] === undefined) throw new Error(`${path} has no certificate in PEM`)
  const passphrase = env.AZURE_CLIENT_CERTIFICATE_PASSWORD
  const key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) })
  const chain = /^(true|1)$/i.test(env.AZURE_CLIENT_SEND_CERTIFICATE_CHAIN ?? '')
  const header = {
    'x5t#S256': createHash('sha256').update(certificates[0]).digest('base64url'),
    ...(chain ? { x5c: certificates.map((one) => one.toString('base64')) } : {}),
  }
  const [nbf, iss] = [Math.floor(nowMs / 1_000), env.AZURE_CLIENT_ID]
  const claims = { aud: tokenUrl(env), iss, sub: iss, jti: randomUUID(), nbf, exp: nbf + 10 * MINUTE_S }
  return jsonWebToken('PS256', { header, claims, key })
}

const tokenUrl = (env: IdentityOptions['env']): string => {
  const authority = env.AZURE_AUTHORITY_HOST || 'https://login.microsoftonline.com'
  return `${authority.replace(/\/+$/, '')}/${encodeURIComponent(env.AZURE_TENANT_ID ?? '')}/oauth2/v2.0/token`
}

/** https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
async function asApplication(proof: Proof, options: IdentityOptions): Promise<EntraToken> {
  const { env, resource, clock, signal } = options
  const rest = await createRest({ ...restOptions(options), base: tokenUrl(env), proxy: 'environment' })
  const scope = `${resource}/.default`
  const client_id = env.AZURE_CLIENT_ID ?? ''
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id, scope, ...proof })
  return tokenIn((await rest.call('POST', tokenUrl(env), signal, form)).body, clock)
}

/** A virtual machine's, or a node's of a cluster: its metadata service. @throws when there is none, and what it answers */
async function onVirtualMachine(options: IdentityOptions): Promise<EntraToken> {
  const { env, clock, signal } = options
  const host = env.AZURE_POD_IDENTITY_AUTHORITY_HOST || METADATA_HOST
  const url = `${host.replace(/\/+$/, '')}/metadata/identity/oauth2/token`
  if (host === METADATA_HOST) {
    const late = new AbortController()
    const cancel = clock.after(PROBE_MS, () => late.abort(new Error(`${METADATA_HOST} does not answer`)))
    const rest = await createRest({ ...restOptions(options), base: host })
    // Without its header the service refuses, and so is there.
    await rest
      .call('GET', url, AbortSignal.any([signal, late.signal]))
      .catch((error: unknown) => {
        if ((error as { details?: { status?: number } }).details?.status === undefined) throw error
      })
      .finally(cancel)
  }
  return await asManagedIdentity(url, '2018-02-01', { metadata: 'true' }, options)
}

/** https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token, …/app-service/overview-managed-identity */
async function asManagedIdentity(
  url: string,
  version: string,
  headers: Record<string, string>,
  options: IdentityOptions,
): Promise<EntraToken> {
  const { env, resource, clock, signal } = options
  const rest = await createRest({ ...restOptions(options), base: url, headers })
  const user: Record<string, string> = env.AZURE_CLIENT_ID ? { client_id: env.AZURE_CLIENT_ID } : {}
  const query = new URLSearchParams({ 'api-version': version, resource, ...user })
  return tokenIn((await rest.call('GET', `${url}?${query}`, signal)).body, clock)
}

/** Of who has logged in with Azure's command line. */
async function byCommandLine({ resource, env, clock, signal }: IdentityOptions): Promise<EntraToken> {
  const args = ['account', 'get-access-token', '--output', 'json', '--resource', resource]
  const { stdout } = await promisify(execFile)('az', args, { signal, env }).catch((error) => {
    throw new Error(error.stderr?.trim() || (error.code === 'ENOENT' ? 'not installed' : messageOf(error)))
  })
  const { accessToken: access_token, expires_on, expiresOn } = printed(stdout)
  return tokenIn({ access_token, expires_on: expires_on ?? Date.parse(expiresOn) / 1_000 }, clock)
}

/** What is printed is secret, so no error repeats it. */
function printed(stdout: string): any {
  try {
    return JSON.parse(stdout)
  } catch {
    throw new Error('it printed no token')
  }
}

const restOptions = ({ clock }: IdentityOptions): Omit<RestOptions, 'base'> => ({
  headers: {},
  clock,
  hints: {},
  messageIn: (body) =>
    [body?.error, body?.error_description ?? body?.message].filter(Boolean).join(': ').slice(0, 1_000),
})

function tokenIn(answer: any, clock: Clock): EntraToken {
  const { access_token: token, expires_on, expires_in } = answer ?? {}
  if (typeof token !== 'string') throw fail('ORIGIN_UNAVAILABLE', 'an answer without a token')
  const endsAtMs = expires_on === undefined ? clock.now() + Number(expires_in) * 1_000 : Number(expires_on) * 1_000
  return { token, endsAtMs }
}
