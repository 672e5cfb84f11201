/** The type `sns`: notifications of an AWS SNS topic, by HTTP(S). */
import { z } from 'zod'
import { filterSchema, metadataSchema } from '../source/schemas.ts'
import { defineSource, type Finding } from '../source.ts'
import { awsAccessFields, awsAccessFindings } from './aws/aws.ts'
import { providerFindings } from './hooks/findings.ts'
import { unsignedAdvice } from './hooks/serve.ts'
import { validateWebhookContext, webhookContextSchema, webhookListens } from './hooks/webhook-context.ts'
import { examples } from './sns/examples.ts'
import { serveSns } from './sns/serve.ts'
import { subscriptions } from './sns/topic.ts'

const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where SNS posts to. With `url` the topic is subscribed to it; without, subscribe it yourself.'),
  topicArn: z.string().default('').describe('ARN of the topic. Messages of other topics are refused.'),
  ...awsAccessFields,
  validateSignature: z
    .boolean()
    .default(false)
    .describe('Only messages with a right signature of SNS (version 1 or 2) are accepted. Recommended.'),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
type Spec = z.output<typeof spec>

export default defineSource<Spec>({
  type: 'sns',
  title: 'AWS SNS',
  summary: 'Receives the notifications of an AWS SNS topic, and subscribes to it.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'SNS gets 200 only when the event is durable and delivers again otherwise; the id of the event is made from `MessageId`, which a ' +
    "redelivery repeats, so it is stored once (within the bus's window).",
  ids: '`MessageId`, which SNS gives a message once and repeats with each attempt, together with the topic (so region and account too), time, subject and text. What two subscriptions of the topic bring here is one event.',
  untried: {
    delivery:
      'an origin that calls has no place to be read from, and all replicas serve: test/faults/hooks.test.ts has its senders repeat what was not answered 200 while replicas and the bus die',
  },
  filterable: true,
  spec,
  event: z.object({
    header: z.record(z.string(), z.array(z.string())).describe('Request headers by canonical name.'),
    body: z
      .record(z.string(), z.unknown())
      .describe(
        'The envelope as SNS sent it (`Type`, `MessageId`, `TopicArn`, `Subject`, `Message`…); `Message` is a string.',
      ),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry, when there is any.'),
  }),
  examples,
  validate,
  listens: ({ webhook }) => webhookListens(webhook),
  unsigned: ({ validateSignature }) => !validateSignature,
  hooks: subscriptions,
  serve: serveSns,
})

function validate(spec: Spec): Finding[] {
  const { topicArn, region, webhook, validateSignature } = spec
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (topicArn === '')
    return error(
      'topicArn',
      'must specify topic arn',
      'for example topicArn: arn:aws:sns:us-east-1:123456789012:orders',
    )
  if (region === '') return error('region', 'must specify region', 'for example region: us-east-1')
  const findings = validateWebhookContext(webhook, ['webhook'])
  if (findings.some(({ severity }) => severity === 'error')) return findings
  const signed = 'and set validateSignature: true'
  findings.push(
    ...awsAccessFindings(spec),
    ...providerFindings(webhook!, { provider: 'SNS', urlNeeded: false, signed }),
  )
  return [...findings, ...unsignedAdvice(!validateSignature, 'set validateSignature: true')]
}
