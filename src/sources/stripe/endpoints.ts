/** Webhook endpoints at Stripe (https://docs.stripe.com/api/webhook_endpoints), through its own library. */
import type Stripe from 'stripe'
import { fail } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { Hook, HookRegistration, PrepareContext } from '../../source.ts'
import { sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { originError } from '../http/rest.ts'
import type { Spec } from './spec.ts'

interface Endpoint extends Hook {
  url: string
  events: string[]
  enabled: boolean
}

/** The name of the one place where an entry has its endpoint. */
export const ACCOUNT = 'account'

/** @param api where Stripe is. @throws SECRET_MISSING */
export async function webhookEndpoints(
  ctx: PrepareContext<Spec>,
  api = new URL('https://api.stripe.com'),
): Promise<HookRegistration | null> {
  const { createWebhook, apiKey, eventFilter = [], webhook } = ctx.spec
  if (!createWebhook || apiKey === undefined || webhook === undefined || webhook.url === '') return null
  const url = hookUrl(webhook)
  // Stripe wants to be told which; without a filter it is all.
  const events = eventFilter.length === 0 ? ['*'] : eventFilter
  const description = `${ctx.namespace}/${ctx.eventSource}/${ctx.entry}`
  const enabled_events = events as Stripe.WebhookEndpointCreateParams.EnabledEvent[]

  /** Stripe's library knows no signal: each call has a client of its own, whose requests end with it. */
  const call = async <T>(signal: AbortSignal, work: (stripe: Stripe) => Promise<T>): Promise<T> => {
    const { default: Stripe } = await import('stripe')
    const stripe = new Stripe(await sentSecret(ctx, apiKey), {
      protocol: api.protocol === 'http:' ? 'http' : 'https',
      host: api.hostname,
      ...(api.port === '' ? {} : { port: Number(api.port) }),
      maxNetworkRetries: 0,
      telemetry: false,
      httpClient: Stripe.createFetchHttpClient(((input: string, init: RequestInit) =>
        fetch(input, { ...init, signal, redirect: 'error' })) as typeof fetch),
    })
    try {
      return await work(stripe)
    } catch (error) {
      signal.throwIfAborted()
      throw asOriginError(error, api.host, ctx.clock.now())
    }
  }

  return {
    wanted: { url, events },
    removeOnDelete: true,
    targets: async () => [
      {
        name: ACCOUNT,
        // The signing secret is shown once, when the endpoint is made.
        secretAtCreation: true,
        list: (signal) =>
          call(signal, async (stripe) => {
            const found: Endpoint[] = []
            for await (const endpoint of stripe.webhookEndpoints.list({ limit: 100 })) found.push(endpointOf(endpoint))
            return found
          }),
        isOurs: (hook) => hook.url === url,
        isCurrent: (hook) => hook.url === url && hook.enabled && sameSet(hook.events, events),
        create: (signal) =>
          call(signal, async (stripe) => {
            const made = await stripe.webhookEndpoints.create({ url, enabled_events, description })
            return { hook: endpointOf(made), ...(made.secret === undefined ? {} : { secret: made.secret }) }
          }),
        update: ({ id }, signal) =>
          call(signal, async (stripe) => {
            await stripe.webhookEndpoints.update(id, { url, enabled_events, disabled: false })
          }),
        delete: ({ id }, signal) =>
          call(signal, async (stripe) => {
            try {
              await stripe.webhookEndpoints.del(id)
            } catch (error) {
              if ((error as { statusCode?: number }).statusCode !== 404) throw error
            }
          }),
      },
    ],
  }
}

function endpointOf({ id, created, url, enabled_events, status }: Stripe.WebhookEndpoint): Endpoint {
  return { id, createdMs: created * 1000, url, events: enabled_events, enabled: status === 'enabled' }
}

/** The library's errors have the status; anything else never reached Stripe. A wrong key is not repeated, not even in part. */
function asOriginError(error: unknown, host: string, nowMs: number): Error {
  const { statusCode, message, headers } = error as {
    statusCode?: number
    message?: string
    headers?: Record<string, string>
  }
  const shown = (message ?? '').replace(/\b[sr]k_\S+/g, '…').slice(0, 300)
  if (statusCode === undefined) return fail('ORIGIN_UNAVAILABLE', `${host} does not answer: ${shown}`)
  return originError({
    host,
    status: statusCode,
    message: shown,
    header: (name) => headers?.[name],
    nowMs,
  })
}
