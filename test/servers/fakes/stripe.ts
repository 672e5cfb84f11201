/**
 * Stripe's API as far as webhook endpoints go (https://docs.stripe.com/api/webhook_endpoints): requests are forms, lists have cursors, the
 * secret is shown once; and what Stripe posts, signed.
 */
import { createHmac } from 'node:crypto'
import { type Asked, type FakeApi, startFakeApi } from './api.ts'

export interface StripeEndpoint {
  id: string
  object: 'webhook_endpoint'
  url: string
  enabled_events: string[]
  status: 'enabled' | 'disabled'
  created: number
  description: string | null
}

export interface FakeStripe extends FakeApi {
  readonly endpoints: StripeEndpoint[]
  /** Signing secrets by endpoint. */
  readonly secrets: Map<string, string>
  add(url: string): StripeEndpoint
}

/** `Stripe-Signature` of a body. */
export function stripeSignature(body: string | Buffer, secret: string, atS = Math.floor(Date.now() / 1000)): string {
  return `t=${atS},v1=${createHmac('sha256', secret).update(`${atS}.`).update(body).digest('hex')}`
}

/** @param key the API key that is accepted */
export async function startFakeStripe({ key = 'rk_good' }: { key?: string } = {}): Promise<FakeStripe> {
  const endpoints: StripeEndpoint[] = []
  const secrets = new Map<string, string>()
  let ids = 100
  const failure = (status: number, type: string, message: string) => ({ status, body: { error: { type, message } } })
  const missing = failure(404, 'invalid_request_error', 'No such webhook endpoint')
  const guarded =
    (work: (asked: Asked, params: Record<string, string>) => { status: number; body: unknown }) =>
    (asked: Asked, params: Record<string, string>) =>
      asked.headers.authorization === `Bearer ${key}`
        ? work(asked, params)
        : failure(401, 'invalid_request_error', `Invalid API Key provided: ${asked.headers.authorization?.slice(7)}`)
  const eventsIn = (form: URLSearchParams) =>
    [...form].filter(([name]) => name.startsWith('enabled_events[')).map(([, event]) => event)
  const add = (url: string, enabled_events = ['*'], description: string | null = null): StripeEndpoint => {
    const made: StripeEndpoint = {
      id: `we_${ids++}`,
      object: 'webhook_endpoint',
      url,
      enabled_events,
      status: 'enabled',
      created: Math.floor(Date.now() / 1000),
      description,
    }
    // Newest first, as lists have them.
    endpoints.unshift(made)
    secrets.set(made.id, `whsec_${made.id}`)
    return made
  }
  const find = (id: string | undefined) => endpoints.find((one) => one.id === id)

  const api = await startFakeApi({
    'GET /v1/webhook_endpoints': guarded(({ query }) => {
      const after = query.get('starting_after')
      const start = after === null ? 0 : endpoints.findIndex(({ id }) => id === after) + 1
      const data = endpoints.slice(start, start + Number(query.get('limit') ?? 10))
      const has_more = start + data.length < endpoints.length
      return { status: 200, body: { object: 'list', url: '/v1/webhook_endpoints', has_more, data } }
    }),
    'POST /v1/webhook_endpoints': guarded(({ body }) => {
      const events = eventsIn(body)
      if (events.length === 0) return failure(400, 'invalid_request_error', 'Missing required param: enabled_events.')
      const made = add(body.get('url'), events, body.get('description'))
      return { status: 200, body: { ...made, secret: secrets.get(made.id) } }
    }),
    'POST /v1/webhook_endpoints/:id': guarded(({ body }, { id }) => {
      const endpoint = find(id)
      if (endpoint === undefined) return missing
      endpoint.url = body.get('url') ?? endpoint.url
      endpoint.enabled_events = eventsIn(body)
      if (body.get('disabled') === 'false') endpoint.status = 'enabled'
      return { status: 200, body: endpoint }
    }),
    'DELETE /v1/webhook_endpoints/:id': guarded((_, { id }) => {
      const endpoint = find(id)
      if (endpoint === undefined) return missing
      endpoints.splice(endpoints.indexOf(endpoint), 1)
      return { status: 200, body: { id, object: 'webhook_endpoint', deleted: true } }
    }),
  })
  return Object.assign(api, { endpoints, secrets, add: (url: string) => add(url) })
}
