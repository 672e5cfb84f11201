/** Serves the admission webhook over TLS, with a certificate of its own that is kept in a Secret and renewed in time. */
import { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import { crossSite, refusedAsCrossSite } from '../api/crossSite.ts'
import { retryForEver } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { KubeClient } from '../kube/client.ts'
import { type KubeObject, resources } from '../kube/resources.ts'
import { refusedForm } from '../runtime/http/message.ts'
import { type LostByChange, type ReviewOptions, type ReviewRequest, review } from './admission.ts'
import { MANAGER } from './cluster.ts'
import { WEBHOOK_SERVICE, webhookConfiguration } from './install/manager.ts'
import { WEBHOOK_CERTS } from './install/rbac.ts'
import type { Settings } from './settings.ts'
import { makeCertificate } from './x509.ts'

export interface WebhookOptions {
  client: KubeClient
  /** Where the Service and the Secret are. */
  namespace: string
  /** Left out: every address. */
  host?: string | undefined
  port: number
  /** Of an EventBus that is changed. */
  lost: LostByChange
  settings: () => Settings
  clock: Clock
  log: Logger
}

/** Bytes of a review; objects in it are at most 1.5 MiB each, and there are two. */
const MAX_BODY = 8 * 1024 * 1024
const DAY_MS = 86_400_000
const VALID_DAYS = 365
const RENEW_DAYS = 60
/** So often is the certificate looked at. */
const LOOK_MS = 3_600_000

/** Upstream's keys of the Secret. */
interface Certs {
  'server-key.pem': string
  'server-cert.pem': string
  'ca-cert.pem': string
}

/** Listens at once, and answers once it has a certificate. @throws PORT_IN_USE */
export async function serveAdmission(options: WebhookOptions, signal: AbortSignal): Promise<{ closed: Promise<void> }> {
  const { host, port, lost, settings, namespace: home, clock, log } = options
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    if (refusedForm(request, response)) return
    const foreign = crossSite(request.headers)
    if (foreign !== null) return void response.writeHead(403).end(`${refusedAsCrossSite(foreign)}\n`)
    answer(request, { lost, settings: settings(), home }).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error) => response.writeHead(400, { 'content-type': 'text/plain' }).end(`${messageOf(error)}\n`),
    )
  })
  await listening(server, host, port)
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      const onError = (error: unknown) => log.warn('the webhook has no certificate yet', { error: messageOf(error) })
      const certs = await retryForEver(() => ensureCerts(options), { clock, signal, onError })
      server.setSecureContext({ cert: certs['server-cert.pem'], key: certs['server-key.pem'] })
      await clock.sleep(LOOK_MS, signal)
    }
  }
  const closed = keep()
    .catch(() => {})
    .then(() => {
      server.close()
      server.closeAllConnections()
    })
  return { closed }
}

/** The certificate of the Secret, made anew when it is missing, foreign or ends soon; and told to the API server. */
async function ensureCerts({ client, namespace, clock }: WebhookOptions): Promise<Certs> {
  const place = { namespace, name: WEBHOOK_CERTS }
  let certs = certsIn(await client.get(resources.secrets, place))
  const names = [`${WEBHOOK_SERVICE}.${namespace}.svc`]
  if (certs === null || !isGood(certs, names[0]!, clock.now())) {
    certs = makeCerts(names, clock.now())
    const data = Object.fromEntries(
      Object.entries(certs).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
    )
    const secret: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: place, data }
    await client.apply(resources.secrets, secret, { manager: MANAGER })
  }
  const configuration = webhookConfiguration(namespace, Buffer.from(certs['ca-cert.pem']).toString('base64'))
  await client.apply(resources.validatingwebhookconfigurations, configuration, { manager: MANAGER })
  return certs
}

function certsIn(secret: KubeObject | null): Certs | null {
  const data = (secret?.data ?? {}) as Record<string, string>
  const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString()
  const certs = {
    'server-key.pem': text('server-key.pem'),
    'server-cert.pem': text('server-cert.pem'),
    'ca-cert.pem': text('ca-cert.pem'),
  }
  return Object.values(certs).includes('') ? null : certs
}

function isGood(certs: Certs, host: string, now: number): boolean {
  try {
    const [cert, ca] = [new X509Certificate(certs['server-cert.pem']), new X509Certificate(certs['ca-cert.pem'])]
    return (
      cert.checkHost(host) !== undefined &&
      cert.verify(ca.publicKey) &&
      cert.validToDate.getTime() > now + RENEW_DAYS * DAY_MS
    )
  } catch {
    return false
  }
}

function makeCerts(names: string[], now: number): Certs {
  const times = { notBefore: now - DAY_MS, notAfter: now + VALID_DAYS * DAY_MS }
  const ca = makeCertificate({ commonName: 'vedette webhook ca', authority: true, ...times })
  const issuer = { commonName: 'vedette webhook ca', key: ca.key }
  const server = makeCertificate({ commonName: 'vedette webhook', names, usages: ['server'], issuer, ...times })
  return { 'server-key.pem': server.key, 'server-cert.pem': server.cert, 'ca-cert.pem': ca.cert }
}

/** @throws for what is no review: the API server then goes by its failurePolicy */
async function answer(request: IncomingMessage, options: ReviewOptions): Promise<object> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY) throw fail('USAGE', 'the review is too large')
    chunks.push(chunk)
  }
  const {
    apiVersion,
    kind,
    request: wanted,
  } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>
  if (kind !== 'AdmissionReview' || typeof wanted !== 'object' || wanted === null)
    throw fail('USAGE', 'this is no AdmissionReview')
  return { apiVersion, kind, response: await review(wanted as ReviewRequest, options) }
}

async function listening(server: Server, host: string | undefined, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(fail('PORT_IN_USE', `the webhook cannot listen on ${host ?? '*'}:${port}: ${error.message}`)),
    )
    server.listen(port, host, resolve)
  })
}
