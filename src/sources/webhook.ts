/** The type `webhook`: any HTTP request with a JSON body, a form or a query becomes an event. */
import { z } from 'zod'
import { fail } from '../core/errors.ts'
import { compactJsonBytes, goJson, goJsonOfMap } from '../core/json.ts'
import { whenAborted } from '../core/signals.ts'
import { defineSource, type Finding, type HttpRequest } from '../source.ts'
import { parseQuery } from './shared/query.ts'
import { filterSchema } from './shared/schemas.ts'
import { senderKey } from './shared/sender-id.ts'
import { validateWebhookContext, webhookContextFields, webhookListens, webhookRoute } from './shared/webhook-context.ts'
import { docs, examples } from './webhook/docs.ts'

const spec = z.object({ ...webhookContextFields, filter: filterSchema.optional() })
type Spec = z.output<typeof spec>

export default defineSource<Spec>({
  type: 'webhook',
  title: 'Webhook',
  summary: 'Receives HTTP requests and publishes their headers and body.',
  docs,
  strategy: 'active-active',
  guarantee: 'at-least-once',
  because:
    'The sender gets 200 only when the event is durable, so what was not answered is sent again. A retry that carries ' +
    "`Idempotency-Key`, `webhook-id` or `ce-id` is the same event and is stored once (within the bus's window); " +
    'without such a key nothing tells a retry from a new event.',
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
    return findings.some(({ severity }) => severity === 'error') ? findings : [...findings, ...cannotSucceed(spec)]
  },
  listens: webhookListens,
  unsigned: (spec) => spec.authSecret === undefined,
  async serve(ctx) {
    const metadata = ctx.spec.metadata ?? {}
    const tail = Buffer.from(Object.keys(metadata).length === 0 ? '}' : `,"metadata":${goJsonOfMap(metadata)}}`)
    await ctx.http({
      ...webhookRoute(ctx.spec),
      methods: [ctx.spec.method],
      async handle(request) {
        const head = Buffer.from(`{"header":${goJsonOfMap(request.headers)},"body":`)
        const data = Buffer.concat([head, bodyOf(request), tail])
        const { id } = await ctx.emit({ data, id: senderId(request) })
        return { status: 200, body: 'success', headers: { 'X-Event-Id': id } }
      },
    })
    await whenAborted(ctx.signal)
  },
})

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
  if (request.header('Content-Type') !== 'application/x-www-form-urlencoded') return compactJsonBytes(request.body)
  const form = parseQuery(request.body.toString('latin1'))
  // Upstream refuses a form whose URL has a malformed query, although that query is not used.
  const error = form.error ?? parseQuery(request.url.search.slice(1)).error
  if (error !== null) throw fail('EVENT_INVALID', error)
  return Buffer.from(goJson(form.values))
}

/** Headers in which senders say which of their messages this is, the first one counts. */
const KEY_HEADERS = ['Idempotency-Key', 'Webhook-Id', 'Ce-Id']

/**
 * What makes a sender's retry the same event: its key together with where it was sent and the body, so that a key used
 * again for something else is another event. Undefined without a key.
 */
function senderId(request: HttpRequest): string | undefined {
  let key: string | undefined
  for (const name of KEY_HEADERS) key ||= request.header(name)
  if (!key) return undefined
  const where = request.method === 'GET' ? request.url.pathname + request.url.search : request.url.pathname
  return senderKey(key, Buffer.concat([Buffer.from(`${request.method} ${where}\n`), request.body]))
}
