/** Serving the hooks of a provider: proof, event, answer. */
import { whenAborted } from '../../core/signals.ts'
import type { Finding, HttpContext, HttpRequest } from '../../source.ts'
import type { Proof } from './proof.ts'
import { payloadEncoder } from './request.ts'
import { validateWebhookContext, type WebhookContext, webhookRoute } from './webhook-context.ts'

/** What becomes one event. */
export interface HookEvent {
  /** The payload's `body`: JSON, compact. */
  body: Uint8Array
  /** What the delivery is called, see `deliveryId`. */
  id: string | undefined
}

export interface HookRoute {
  webhook: WebhookContext | undefined
  metadata: Record<string, string> | undefined
  /** Headers whose values are credentials. */
  masked?: readonly string[]
  proof: Proof
  /** @throws EVENT_INVALID with the words of the answer (400); ORIGIN_UNAVAILABLE and the like: the sender may try again (503) */
  events: (request: HttpRequest) => Promise<HookEvent[]> | HookEvent[]
}

/**
 * Serves until the entry stops. The answer comes when all events of a request are durable: upstream's `success`, with their ids; it is
 * an error as soon as one of them is not, and what is sent again is not stored again.
 */
export async function serveHooks(ctx: HttpContext<any>, route: HookRoute): Promise<void> {
  const { webhook, metadata, masked, proof, events } = route
  const payload = payloadEncoder('headers', metadata, masked)
  await ctx.http({
    ...webhookRoute(webhook!),
    methods: ['POST'],
    async handle(request) {
      const refused = await proof(request)
      if (refused !== null) return refused
      const found = await events(request)
      const emitted = await Promise.all(found.map(({ body, id }) => ctx.emit({ data: payload(request, body), id })))
      const ids = emitted.map(({ id }) => id).join(', ')
      return { status: 200, body: 'success', ...(ids === '' ? {} : { headers: { 'X-Event-Id': ids } }) }
    },
  })
  await whenAborted(ctx.signal)
}

/**
 * What is to be said of a hook type's spec: upstream's refusal alone; else what is wrong with `webhook`; and unless that is an
 * error, what else there is. @param refused by upstream's own rules, which come before those of `webhook`
 */
export function hookFindings(
  webhook: WebhookContext | undefined,
  refused: Omit<Finding, 'severity'> | null,
  more: () => Finding[],
): Finding[] {
  if (refused !== null) return [{ severity: 'error', ...refused }]
  const findings = validateWebhookContext(webhook, ['webhook'])
  return findings.some(({ severity }) => severity === 'error') ? findings : [...findings, ...more()]
}

/** Said of an entry whose requests are not verified. @param remedy which field to set */
export function unsignedAdvice(unsigned: boolean, remedy: string): Finding[] {
  if (!unsigned) return []
  const message = 'anybody who reaches the port can send events'
  return [{ severity: 'advice', path: [], message, remedy }]
}
