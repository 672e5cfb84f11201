/** The type `bitbucket`: hooks of Bitbucket Cloud repositories become events; the hooks are managed too. */
import { z } from 'zod'
import { defineSource } from '../source.ts'
import { examples } from './bitbucket/examples.ts'
import { bitbucketHooks } from './bitbucket/hooks.ts'
import { managesHooks, type Spec, spec, validate } from './bitbucket/spec.ts'
import { hookEvent } from './hooks/fields.ts'
import { isUnsigned, serveHubHooks } from './hooks/hub.ts'
import { deliveryId, jsonBody } from './hooks/request.ts'
import { webhookListens } from './hooks/webhook-context.ts'

export default defineSource<Spec>({
  type: 'bitbucket',
  title: 'Bitbucket Cloud',
  summary: 'Receives the webhooks of Bitbucket Cloud repositories, and manages them at Bitbucket.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'Bitbucket gets 200 only when the event is durable and sends it again a few times when it does not; the id comes from ' +
    '`X-Request-UUID`, which such an attempt repeats. An outage longer than those attempts loses what came in it.',
  ids: '`X-Request-UUID`, which further attempts repeat, together with the hook (`X-Hook-UUID`) and the body.',
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: hookEvent(z.unknown().describe('The JSON that Bitbucket sent, as it stands but for white space.')),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: isUnsigned,
  hooks: bitbucketHooks,
  serve: (ctx) =>
    serveHubHooks(ctx, ['X-Hub-Signature'], managesHooks(ctx.spec), (request) => [
      {
        body: jsonBody(request.body),
        id: deliveryId(request.header('X-Request-UUID'), request.body, { hook: request.header('X-Hook-UUID') }),
      },
    ]),
})
