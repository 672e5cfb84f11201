/** The type `slack`: events, interactions and slash commands of a Slack app. */
import { z } from 'zod'
import { parseQuery } from '../core/query.ts'
import { whenAborted } from '../core/signals.ts'
import { filterSchema, metadataSchema, secretKeySelector } from '../source/schemas.ts'
import { checkSlackSignature, isOneOf } from '../source/signature.ts'
import { defineSource, type Finding, type HttpAnswer, type HttpContext, type HttpRequest } from '../source.ts'
import { providerFindings } from './hooks/findings.ts'
import { proofOf } from './hooks/proof.ts'
import { deliveryId, success } from './hooks/request.ts'
import { hookFindings } from './hooks/serve.ts'
import { webhookContextSchema, webhookListens, webhookRoute } from './hooks/webhook-context.ts'
import { isForm } from './http/media-type.ts'
import { examples } from './slack/examples.ts'
import { outerOf, type SlackPayload, slackPayloads } from './slack/payload.ts'

const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where Slack posts to: the request URL of the app’s events, interactivity and commands.'),
  token: secretKeySelector
    .optional()
    .describe(
      'Verification token of the app; compared with the `token` of events. Several, one per line, are all accepted.',
    ),
  signingSecret: secretKeySelector
    .optional()
    .describe('Signing secret of the app. Several, one per line, are all accepted. Read on use, so it can be rotated.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
type Spec = z.output<typeof spec>

export default defineSource<Spec>({
  type: 'slack',
  title: 'Slack',
  summary: 'Receives the events, interactions and slash commands of a Slack app.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'Slack gets 200 only when the event is durable; the id comes from `event_id` (or `trigger_id`), which a repeat carries too. Slack ' +
    'repeats events three times, within some minutes, and interactions and commands never: what no replica could take in that time is lost.',
  ids: "An event's `event_id`, unique among all workspaces, together with the app, since several may have one request URL, the workspace and the inner event. An interaction or command is known by its `trigger_id` and all of its fields, which name app and workspace.",
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: z
    .record(z.string(), z.unknown())
    .describe(
      'An event: `type` and `Data`, the inner event. An interaction or a command: its own fields. See below. `metadata` of the entry, when there is any, is added.',
    ),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  serve,
})

function validate({ token, signingSecret, webhook }: Spec): Finding[] {
  const missing = (field: string): Finding[] => [
    {
      severity: 'error',
      path: [field],
      message: `${field} not provided`,
      remedy: `add ${field}: {name: …, key: …}, from the app’s page "Basic Information"`,
    },
  ]
  if (token === undefined) return missing('token')
  if (signingSecret === undefined) return missing('signingSecret')
  return hookFindings(webhook, null, () =>
    providerFindings(webhook!, { provider: 'Slack', signed: 'the signing secret proves its requests' }),
  )
}

/** Of what Slack gave no name: time and body, which are what is signed, so that a replay is no second event. */
const signedId = (request: HttpRequest): string | undefined =>
  deliveryId(request.header('X-Slack-Request-Timestamp'), request.body)

/**
 * A user would read the body of an answer to a command, and a modal takes any for a mistake of the app's:
 * https://docs.slack.dev/interactivity/implementing-slash-commands, https://docs.slack.dev/surfaces/modals ("Closing a modal").
 */
const wordless = ({ body: _, ...answer }: HttpAnswer): HttpAnswer => answer

async function serve(ctx: HttpContext<Spec>): Promise<void> {
  const { webhook, token, signingSecret, metadata } = ctx.spec
  const payloads = slackPayloads(metadata)
  const signed = await proofOf(ctx, signingSecret!, (request, secrets) =>
    checkSlackSignature(request, secrets, ctx.clock.now()),
  )
  const knowsToken = await proofOf(ctx, token!, ({ body }, tokens) =>
    isOneOf(outerOf(body).token, tokens) ? null : 'signature validation failed',
  )
  const emit = async ({ data, key, of, from }: SlackPayload, request: HttpRequest): Promise<HttpAnswer> =>
    success(await ctx.emit({ data, id: key === undefined ? signedId(request) : deliveryId(key, of, from) }))

  const form = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { body } = request
    const { values } = parseQuery(body.toString('latin1'))
    const field = (name: string) => values.get(name)?.[0] ?? ''
    if (field('payload') !== '') return wordless(await emit(payloads.interaction(field('payload')), request))
    if (field('command') !== '') return wordless(await emit(payloads.command(values), request))
    // Slack looks at the certificate of a command's URL now and then.
    if (field('ssl_check') === '1') return { status: 200 }
    return { status: 400, body: 'could not determine slack type from form parameters' }
  }

  const events = async (request: HttpRequest): Promise<HttpAnswer> => {
    const outer = outerOf(request.body)
    const refused = await knowsToken(request)
    if (refused !== null) return refused
    if (outer.type === 'url_verification') return { status: 200, body: outer.challenge }
    if (outer.type !== 'event_callback') return { status: 200, body: 'success' }
    return await emit(payloads.event(outer), request)
  }

  await ctx.http({
    ...webhookRoute(webhook!),
    methods: ['POST'],
    handle: async (request) => (await signed(request)) ?? (await (isForm(request) ? form(request) : events(request))),
  })
  await whenAborted(ctx.signal)
}
