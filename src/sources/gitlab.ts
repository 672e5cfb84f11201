/** The type `gitlab`: hooks of GitLab projects and groups become events; the hooks are managed too. */
import { z } from 'zod'
import { checkStandardWebhook, isOneOf, signedName } from '../source/signature.ts'
import { defineSource, type HttpContext, type HttpRequest } from '../source.ts'
import { examples } from './gitlab/examples.ts'
import { gitlabHooks } from './gitlab/hooks.ts'
import { isUnsigned, managesHooks, type Spec, spec, validate } from './gitlab/spec.ts'
import { hookEvent } from './hooks/fields.ts'
import { allOf, type Proof, proofOf } from './hooks/proof.ts'
import { deliveryId, jsonBody } from './hooks/request.ts'
import { serveHooks } from './hooks/serve.ts'
import { webhookListens } from './hooks/webhook-context.ts'

export default defineSource<Spec>({
  type: 'gitlab',
  title: 'GitLab',
  summary: 'Receives the webhooks of GitLab projects and groups, and manages them at GitLab.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'GitLab gets 200 only when the event is durable, and the id comes from `Idempotency-Key` (GitLab 17.4 and later), which a ' +
    'resent delivery repeats. What no replica answered 200 is lost unless GitLab sends it again (by hand or by API).',
  ids: '`Idempotency-Key` (GitLab 17.4 and later), a UUID that GitLab makes for each event of each hook, and repeats when it sends that again, together with the body. Older versions give each attempt UUIDs of its own: what they send again is another event. With `signingToken` it is the signed `webhook-id`, which is the same UUID, and nothing else of the headers counts.',
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: hookEvent(
    z.unknown().describe('The JSON that GitLab sent, as it stands but for white space.'),
    '`Authorization` and `X-Gitlab-Token` are masked',
  ),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: isUnsigned,
  hooks: gitlabHooks,
  async serve(ctx) {
    const { webhook, metadata, signingToken } = ctx.spec
    const nameOf = signingToken === undefined ? deliveryOf : signedName
    await serveHooks(ctx, {
      webhook,
      metadata,
      masked: ['X-Gitlab-Token'],
      proof: allOf(await proofs(ctx)),
      events: (request) => [{ body: jsonBody(request.body), id: deliveryId(nameOf(request), request.body) }],
    })
  },
})

/** What GitLab proves: its token, its signature, or both. */
async function proofs(ctx: HttpContext<Spec>): Promise<Proof[]> {
  const { secretToken, signingToken } = ctx.spec
  const managed = managesHooks(ctx.spec)
  const wanted: Promise<Proof>[] = []
  if (secretToken !== undefined) {
    wanted.push(
      proofOf(
        ctx,
        secretToken,
        (request, tokens) => (isOneOf(request.header('X-Gitlab-Token') ?? '', tokens) ? null : 'token mismatch'),
        managed,
      ),
    )
  }
  if (signingToken !== undefined) {
    wanted.push(
      proofOf(
        ctx,
        signingToken,
        (request, secrets) => checkStandardWebhook(request, secrets, ctx.clock.now()),
        managed,
      ),
    )
  }
  return await Promise.all(wanted)
}

/** `Idempotency-Key` since GitLab 17.4; before that UUIDs of the attempt and of the chain of hooks that it is part of. */
function deliveryOf(request: HttpRequest): string | undefined {
  const event = request.header('X-Gitlab-Event-UUID')
  return request.header('Idempotency-Key') || (event && `${request.header('X-Gitlab-Webhook-UUID') ?? ''}/${event}`)
}
