/** The type `bitbucketserver`: hooks of Bitbucket Server and Data Center become events; the hooks are managed too. */
import { z } from 'zod'
import { createGate } from '../core/gate.ts'
import { defineSource } from '../source.ts'
import { eventsOf } from './bitbucketserver/events.ts'
import { examples } from './bitbucketserver/examples.ts'
import { serverHooks } from './bitbucketserver/hooks.ts'
import { managesHooks, type Spec, spec, validate } from './bitbucketserver/spec.ts'
import { hookEvent } from './hooks/fields.ts'
import { isUnsigned, serveHubHooks } from './hooks/hub.ts'
import { webhookListens } from './hooks/webhook-context.ts'

/** Questions to Bitbucket about pull requests at a time, and pushes that wait for theirs; others are told to come back. */
const ASKED_AT_ONCE = 4
const MOST_WAITING = 100

export default defineSource<Spec>({
  type: 'bitbucketserver',
  title: 'Bitbucket Server',
  summary: 'Receives the webhooks of Bitbucket Server and Data Center repositories, and manages them there.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'Bitbucket gets 200 only when the event is durable, and the id comes from `X-Request-Id`. Bitbucket Server does not send again ' +
    'what failed: what no replica answered 200 is lost.',
  ids: '`X-Request-Id`, a UUID that each request of each server has for itself, together with the body; where a push becomes several events, also the place of the change.',
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: hookEvent(
    z
      .unknown()
      .describe(
        'The JSON that Bitbucket sent; with `oneEventPerChange` the fields that Argo Events knows, with one change.',
      ),
  ),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: isUnsigned,
  hooks: serverHooks,
  serve: (ctx) => {
    const asking = createGate(ASKED_AT_ONCE, MOST_WAITING)
    return serveHubHooks(ctx, ['X-Hub-Signature'], managesHooks(ctx.spec), (request) => eventsOf(ctx, request, asking))
  },
})
