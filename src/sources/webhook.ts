/** The type `webhook`: any HTTP request with a JSON body, a form or a query becomes an event. */
import { z } from 'zod'
import { fail, messageOf } from '../core/errors.ts'
import { compactJsonBytes, goJson } from '../core/json.ts'
import { scanJson } from '../core/json-scan.ts'
import { parseQuery } from '../core/query.ts'
import { whenAborted } from '../core/signals.ts'
import { filterSchema } from '../source/schemas.ts'
import { defineSource, type Finding, type HttpContext, type HttpRequest } from '../source.ts'
import { payloadEncoder, success } from './hooks/request.ts'
import { scopes } from './hooks/scope.ts'
import { unsignedAdvice } from './hooks/serve.ts'
import { validateWebhookContext, webhookContextFields, webhookListens, webhookRoute } from './hooks/webhook-context.ts'
import { FORM_TYPE, mediaType } from './http/media-type.ts'
import { cloudEventOf, contextOf, type SenderName } from './payload/cloud-event.ts'
import { senderKey } from './payload/sender-id.ts'
import { examples } from './webhook/examples.ts'
import {
  ANYBODY,
  type SignatureProof,
  signatureProof,
  signatureSchema,
  validateSignature,
} from './webhook/signature.ts'

const spec = z.object({
  ...webhookContextFields,
  signature: signatureSchema.optional(),
  filter: filterSchema.optional(),
})
type Spec = z.output<typeof spec>

export default defineSource<Spec>({
  type: 'webhook',
  title: 'Webhook',
  summary: 'Receives HTTP requests and publishes their headers and body.',
  strategy: 'active-active',
  guarantee: 'at-least-once',
  because:
    'The sender gets 200 only when the event is durable, so what was not answered is sent again. A retry that carries ' +
    "`Idempotency-Key` or `webhook-id`, or is a CloudEvent, is the same event and is stored once (within the bus's window); " +
    'without such a key nothing tells a retry from a new event.',
  ids: "`Idempotency-Key`, else `webhook-id` (Standard Webhooks; Svix: `svix-id`), else the id of a CloudEvent (for a batch those of all its events); together with method, path, query, what was sent, a CloudEvent's source, type and subject, and the token or secret that let it in. What agrees in all of these is taken for a repeat: senders that share a path, a token and a body must choose ids of their own. A request without any has no identity. With a signature by Standard Webhooks what is signed is the identity: the signed `webhook-id`, the body and the secret, whatever else the request says.",
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: z.object({
    header: z
      .record(z.string(), z.array(z.string()))
      .describe('Request headers by canonical name; `Authorization` is masked.'),
    body: z
      .unknown()
      .describe('The JSON body as sent; for GET the query and for form posts the form, each value an array.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the spec, when there is any.'),
  }),
  examples,
  validate: (spec) => {
    const findings = validateWebhookContext(spec)
    if (findings.some(({ severity }) => severity === 'error')) return findings
    return [
      ...findings,
      ...cannotSucceed(spec),
      ...validateSignature(spec.signature, spec.method),
      ...unsignedAdvice(isUnsigned(spec), 'set authSecret or signature'),
    ]
  },
  listens: webhookListens,
  unsigned: isUnsigned,
  async serve(ctx) {
    const payload = payloadEncoder('header', ctx.spec.metadata)
    const { signature } = ctx.spec
    const signed = signature === undefined ? ANYBODY : await signatureProof(ctx, signature)
    const idOf = senderIds(ctx, signed)
    await ctx.http({
      ...webhookRoute(ctx.spec),
      methods: [ctx.spec.method],
      async handle(request) {
        const refused = await signed.proof(request)
        if (refused !== null) return refused
        const body = bodyOf(request)
        return success(await ctx.emit({ data: payload(request, body), id: await idOf(request, body) }))
      },
    })
    await whenAborted(ctx.signal)
  },
})

function isUnsigned({ authSecret, signature }: Spec): boolean {
  return authSecret === undefined && signature === undefined
}

/** What upstream accepts, but answers every request with an error for. */
function cannotSucceed({ method, maxPayloadSize }: Spec): Finding[] {
  const findings: Finding[] = []
  if (method !== 'GET' && method !== 'POST') {
    const remedy = ['GET', 'POST'].find((known) => known === method.trim().toUpperCase())
    findings.push({
      severity: 'warning',
      fatal: true,
      path: ['method'],
      message: `method ${JSON.stringify(method)} accepts no request: the type webhook serves GET and POST, in capitals`,
      remedy: `write method: ${remedy ?? 'POST'}`,
    })
  }
  if (method === 'POST' && maxPayloadSize !== undefined && maxPayloadSize <= 0) {
    const message = `maxPayloadSize ${maxPayloadSize} refuses every body`
    findings.push({
      severity: 'warning',
      fatal: true,
      path: ['maxPayloadSize'],
      message,
      remedy: 'give bytes, or remove it',
    })
  }
  return findings
}

/** The JSON text that goes into the payload. @throws EVENT_INVALID with upstream's words */
function bodyOf(request: HttpRequest): Uint8Array {
  if (request.method === 'GET') return Buffer.from(goJson(parseQuery(request.url.search.slice(1)).values))
  if (request.method !== 'POST') throw fail('EVENT_INVALID', `unsupported method: ${request.method}`)
  // Argo Events knows a form by these very bytes; of the type in other words it takes JSON, and refuses all else.
  const plain = request.header('Content-Type') === FORM_TYPE
  if (!plain && (mediaType(request) !== FORM_TYPE || scanJson(request.body).error === null)) return jsonOf(request)
  const form = parseQuery(request.body.toString('latin1'))
  // Upstream refuses a form whose URL has a malformed query, although that query is not used.
  const error = form.error ?? parseQuery(request.url.search.slice(1)).error
  if (error !== null) throw fail('EVENT_INVALID', error)
  return Buffer.from(goJson(form.values))
}

/** @throws EVENT_INVALID in upstream's words, and where the sender says that it is no JSON, that */
function jsonOf(request: HttpRequest): Uint8Array {
  try {
    return compactJsonBytes(request.body)
  } catch (error) {
    const type = mediaType(request)
    if (type === '' || /[/+]json$/.test(type)) throw error
    throw fail('EVENT_INVALID', `${messageOf(error)} (Content-Type ${type}: taken are JSON and ${FORM_TYPE})`)
  }
}

/** Headers in which senders say which of their messages this is, the first one counts. Svix has names of its own for Standard Webhooks. */
const KEY_HEADERS = ['Idempotency-Key', 'Webhook-Id', 'Svix-Id']

/**
 * What makes a sender's retry the same event: its key, or what identifies its CloudEvent, together with what it sent, where it was sent,
 * and whose token or secret let it in; so that a key used again for something else or by somebody else is another event. Undefined
 * without a key. Where the name itself is signed nothing counts that is not: who replays a signed request can change all of that.
 */
function senderIds(
  { spec, namespace, eventSource, entry }: HttpContext<Spec>,
  signed: Pick<SignatureProof, 'signerOf' | 'nameOf'>,
): (request: HttpRequest, body: Uint8Array) => Promise<string | undefined> {
  const scopeOf = scopes(`${namespace}/${eventSource}/${entry}`)
  const entryItself = Buffer.from(`${spec.method} ${spec.endpoint}\n`)
  return async (request, body) => {
    const signedName = signed.nameOf(request)
    if (signedName !== undefined) {
      const scope = await scopeOf(signed.signerOf(request)!)
      return senderKey(signedName, Buffer.concat([entryItself, request.body]), { scope })
    }
    const name = nameOf(request, body)
    if (name === undefined) return undefined
    const token = spec.authSecret === undefined ? undefined : request.header('Authorization')
    const credentials = [token, signed.signerOf(request)].filter((one) => one !== undefined)
    const scope = credentials.length === 0 ? undefined : await scopeOf(credentials.join('\n'))
    const { method, url } = request
    const where = Buffer.from(`${method} ${url.pathname}${url.search}\n`)
    const sent = typeof name.sent === 'string' ? Buffer.from(name.sent) : name.sent
    return senderKey(name.key, Buffer.concat([where, sent]), { ...name.from, scope })
  }
}

/** A CloudEvent's own id is asked last: some senders make it anew for each attempt, under one key. */
function nameOf(request: HttpRequest, body: Uint8Array): SenderName | undefined {
  for (const header of KEY_HEADERS) {
    const key = request.header(header)
    if (key) return { key, sent: request.body, from: contextOf((name) => request.header(`ce-${name}`)) }
  }
  return cloudEventOf(request, body)
}
