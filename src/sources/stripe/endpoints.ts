/** Webhook endpoints at Stripe (https://docs.stripe.com/api/webhook_endpoints): a few REST calls, which are forms. */
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Hook, HookRegistration, HookTarget } from '../../source.ts'
import { sameSet } from '../hooks/fields.ts'
import { hookUrl } from '../hooks/request.ts'
import { createRest, type Rest } from '../http/rest.ts'
import type { Spec } from './spec.ts'

interface Endpoint extends Hook {
  url: string
  events: string[]
  enabled: boolean
}

/** What an endpoint is to be. */
interface Wanted {
  url: string
  events: string[]
  description: string
}

/** The name of the one place where an entry has its endpoint. */
export const ACCOUNT = 'account'

/** The version of Stripe's API whose answers are read here, whatever the account's own is. */
const API_VERSION = '2026-10-28.endive'
const PATH = '/v1/webhook_endpoints'

/** @param api where Stripe is. @throws SECRET_MISSING */
export async function webhookEndpoints(
  ctx: EntryContext<Spec>,
  api = new URL('https://api.stripe.com'),
): Promise<HookRegistration | null> {
  const { createWebhook, apiKey, eventFilter = [], webhook } = ctx.spec
  if (!createWebhook || apiKey === undefined || webhook === undefined || webhook.url === '') return null
  const url = hookUrl(webhook)
  // Stripe wants to be told which; without a filter it is all.
  const events = eventFilter.length === 0 ? ['*'] : eventFilter
  const description = `${ctx.namespace}/${ctx.eventSource}/${ctx.entry}`
  return {
    wanted: { url, events },
    removeOnDelete: true,
    async targets() {
      const rest = await createRest({
        base: api.origin,
        headers: { authorization: `Bearer ${await sentSecret(ctx, apiKey)}`, 'stripe-version': API_VERSION },
        clock: ctx.clock,
        messageIn: withoutKey,
      })
      return [account(rest, { url, events, description })]
    },
  }
}

function account(rest: Rest, { url, events, description }: Wanted): HookTarget<Endpoint> {
  const wanted = [['url', url], ...events.map((one, n) => [`enabled_events[${n}]`, one])]
  const post = async (path: string, more: [string, string], signal: AbortSignal): Promise<any> =>
    (await rest.call('POST', path, signal, new URLSearchParams([...wanted, more]))).body
  return {
    name: ACCOUNT,
    // The signing secret is shown once, when the endpoint is made.
    secretAtCreation: true,
    async list(signal) {
      const found: Endpoint[] = []
      for (let after = '', more = true; more; after = `&starting_after=${found.at(-1)?.id}`) {
        const { body } = await rest.call('GET', `${PATH}?limit=100${after}`, signal)
        found.push(...body.data.map(endpointOf))
        more = body.has_more && body.data.length > 0
      }
      return found
    },
    isOurs: (hook) => hook.url === url,
    isCurrent: (hook) => hook.url === url && hook.enabled && sameSet(hook.events, events),
    async create(signal) {
      const made = await post(PATH, ['description', description], signal)
      return { hook: endpointOf(made), ...(made.secret === undefined ? {} : { secret: made.secret }) }
    },
    async update({ id }, signal) {
      await post(`${PATH}/${id}`, ['disabled', 'false'], signal)
    },
    async delete({ id }, signal) {
      try {
        await rest.call('DELETE', `${PATH}/${id}`, signal)
      } catch (error) {
        if ((error as { details?: { status?: number } }).details?.status !== 404) throw error
      }
    },
  }
}

/** An endpoint as Stripe shows it. */
function endpointOf({ id, created, url, enabled_events, status }: any): Endpoint {
  return { id, createdMs: created * 1000, url, events: enabled_events, enabled: status === 'enabled' }
}

/** Stripe's words; a wrong key is not repeated, not even in part. */
const withoutKey = (body: any): string =>
  String(body?.error?.message ?? '')
    .replace(/\b[sr]k_\S+/g, '…')
    .slice(0, 300)
