/** The type `stripe`: events of a Stripe account; the webhook endpoint is managed too. */
import { z } from 'zod'
import { whenAborted } from '../core/signals.ts'
import { checkStripeSignature, stripeTime } from '../source/signature.ts'
import { defineSource, type HttpAnswer, type HttpContext, type HttpRequest } from '../source.ts'
import { letAllIn, type Proof, proofOf } from './hooks/proof.ts'
import { deliveryId, success, unauthorized } from './hooks/request.ts'
import { webhookListens, webhookRoute } from './hooks/webhook-context.ts'
import { ACCOUNT, webhookEndpoints } from './stripe/endpoints.ts'
import { stripeEvents } from './stripe/event.ts'
import { examples } from './stripe/examples.ts'
import { isUnsigned, type Spec, spec, validate } from './stripe/spec.ts'

export default defineSource<Spec>({
  type: 'stripe',
  title: 'Stripe',
  summary: 'Receives the events of a Stripe account, and manages its webhook endpoint.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    "Stripe gets 200 only when the event is durable and sends again otherwise, for up to three days; the id comes from Stripe's event id, " +
    "so a repeat is stored once (within the bus's window).",
  ids: "Stripe's event id, together with account, mode (`livemode`), type and time of the event; where no signature is checked also with the object that it is about. Test webhooks from Stripe's page all have one id (zeros): they have no identity, and each is an event; signed ones are known by their signed time and body.",
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: false,
  spec,
  event: z.object({
    event: z
      .object({
        account: z.string().describe('Connected account; empty for the own one.'),
        created: z.number().describe('Seconds since the epoch.'),
        data: z
          .object({
            previous_attributes: z
              .record(z.string(), z.unknown())
              .nullable()
              .describe('What changed in an `*.updated` event, as it was before.'),
            object: z.unknown().describe('The object, as Stripe sent it.'),
          })
          .nullable()
          .describe('What the event is about.'),
        id: z.string().describe('`evt_…`'),
        livemode: z.boolean().describe('False for test data.'),
        pending_webhooks: z.number().describe('Endpoints that have not answered yet.'),
        request: z
          .object({
            id: z.string().describe('`req_…`'),
            idempotency_key: z.string().describe('Idempotency key of the request.'),
          })
          .nullable()
          .describe('The API request that caused it; null when there was none.'),
        type: z.string().describe('e.g. `charge.succeeded`'),
      })
      .describe(
        'The event. A thin one (API v2) is as Stripe sends it: `created` is a text, `related_object` says what it is about.',
      ),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry, when there is any.'),
  }),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: isUnsigned,
  hooks: (ctx) => webhookEndpoints(ctx),
  serve,
})

async function serve(ctx: HttpContext<Spec>): Promise<void> {
  const { webhook, eventFilter = [], metadata } = ctx.spec
  const eventOf = stripeEvents(metadata)
  const proof = await proofFor(ctx)
  const wanted = eventFilter.length === 0 || eventFilter.includes('*') ? null : new Set(eventFilter)
  await ctx.http({
    ...webhookRoute(webhook!),
    methods: ['POST'],
    async handle(request): Promise<HttpAnswer> {
      const refused = await proof(request)
      if (refused !== null) return refused
      const { id, type, data, object, from } = eventOf(request.body)
      const signed = proof !== letAllIn
      if (wanted !== null && !wanted.has(type)) return { status: 200, body: 'success' }
      return success(
        await ctx.emit({
          data,
          id: id === undefined && signed ? signedId(request) : deliveryId(id, signed ? '' : object, from),
        }),
      )
    },
  })
  await whenAborted(ctx.signal)
}

/** Of a test webhook, which has no id of its own: time and body, which are what is signed, so that a replay is no second event. */
const signedId = (request: HttpRequest): string | undefined => deliveryId(stripeTime(request), request.body)

/** By the secret of the spec, else by that of the endpoint which the registrar made. */
async function proofFor(ctx: HttpContext<Spec>): Promise<Proof> {
  const { createWebhook, signingSecret } = ctx.spec
  const check = (request: Parameters<Proof>[0], secrets: readonly string[]) =>
    checkStripeSignature(request, secrets, ctx.clock.now())
  const given = signingSecret === undefined ? null : await proofOf(ctx, signingSecret, check)
  if (!createWebhook) return given ?? letAllIn
  return async (request) => {
    if (given !== null && (await given(request)) === null) return null
    const secret = await ctx.hookSecret(ACCOUNT)
    // It is kept right after the endpoint is made: what comes in between is sent again.
    if (secret === null) return { status: 503, body: 'the endpoint is being made', headers: { 'Retry-After': '10' } }
    const refused = check(request, [secret])
    if (refused !== null) return unauthorized(refused)
    request.proved()
    return null
  }
}
