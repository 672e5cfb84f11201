/** The type `github`: hooks of GitHub repositories and organizations become events; the hooks are managed too. */
import { z } from 'zod'
import { defineSource, type HttpAnswer, type HttpRequest } from '../source.ts'
import { githubBody } from './github/body.ts'
import { examples } from './github/examples.ts'
import { githubHooks } from './github/hooks.ts'
import { managesHooks, type Spec, spec, validate } from './github/spec.ts'
import { hookEvent } from './hooks/fields.ts'
import { isUnsigned } from './hooks/hub.ts'
import { hubProof } from './hooks/proof.ts'
import { deliveryId } from './hooks/request.ts'
import { serveHooks } from './hooks/serve.ts'
import { webhookListens } from './hooks/webhook-context.ts'
import { FORM_TYPE, JSON_TYPE, mediaType } from './http/media-type.ts'

export default defineSource<Spec>({
  type: 'github',
  title: 'GitHub',
  summary: 'Receives the webhooks of GitHub repositories and organizations, and manages them at GitHub.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'GitHub gets 200 only when the event is durable, and the id comes from `X-GitHub-Delivery` and the hook, which a redelivery repeats. GitHub ' +
    'does not redeliver by itself: what no replica answered 200 is lost unless it is redelivered by hand or by API.',
  ids: '`X-GitHub-Delivery`, which GitHub gives an event and not a delivery, so that the hooks of an organization and of its repository call it the same; therefore together with the hook (`X-GitHub-Hook-ID`), and the body. A redelivery repeats all three.',
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: hookEvent(
    z
      .record(z.string(), z.unknown())
      .describe('What GitHub sent, keys sorted, with `X-GitHub-Event` and `X-GitHub-Delivery` added.'),
  ),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: isUnsigned,
  hooks: githubHooks,
  async serve(ctx) {
    const { webhook, webhookSecret, metadata } = ctx.spec
    const signed = await hubProof(
      ctx,
      webhookSecret,
      ['X-Hub-Signature-256', 'X-Hub-Signature'],
      managesHooks(ctx.spec),
    )
    await serveHooks(ctx, {
      webhook,
      metadata,
      proof: async (request) => (await signed(request)) ?? unsupported(mediaType(request)),
      events: (request) => [{ body: githubBody(request), id: idOf(request) }],
    })
  },
})

/** GitHub gives an event one id for all hooks that it is delivered to. */
function idOf(request: HttpRequest): string | undefined {
  const hook = request.header('X-GitHub-Hook-ID')
  return deliveryId(request.header('X-GitHub-Delivery'), request.body, { hook })
}

/** GitHub sends JSON or a form, nothing else. */
function unsupported(type: string): HttpAnswer | null {
  if (type === JSON_TYPE || type === FORM_TYPE) return null
  const body = type === '' ? 'mime: no media type' : `webhook request has unsupported Content-Type "${type}"`
  return { status: 415, body }
}
