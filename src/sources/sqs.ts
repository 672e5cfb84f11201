/** The type `sqs`: messages of an AWS SQS queue. */
import { z } from 'zod'
import { filterSchema, metadataSchema, secretKeySelector } from '../source/schemas.ts'
import { defineSource, type Finding } from '../source.ts'
import { awsAccessFields, awsAccessFindings } from './aws/aws.ts'
import { examples } from './sqs/examples.ts'
import { pollQueue } from './sqs/serve.ts'

const spec = z.object({
  queue: z.string().default('').describe('Name of the queue (not its URL or ARN); FIFO queues end in `.fifo`.'),
  queueAccountId: z
    .string()
    .default('')
    .describe('Id of the AWS account that owns the queue, when it is not the one of the credentials.'),
  waitTimeSeconds: z
    .int()
    .default(0)
    .describe('Seconds that a request waits for messages (long polling), at most 20; 0 means 3.'),
  ...awsAccessFields,
  sessionToken: secretKeySelector
    .optional()
    .describe('Session token of temporary keys in `accessKey` and `secretKey`.'),
  jsonBody: z
    .boolean()
    .default(false)
    .describe('The message body is JSON and is put into the payload as JSON; otherwise it is put there in base64.'),
  dlq: z
    .boolean()
    .default(false)
    .describe(
      'What happens to a message that is not JSON although `jsonBody` is set, where the queue has no redrive policy. True: it is left in the queue. False: it is deleted. A redrive policy moves it to its dead-letter queue either way.',
    ),
  metadata: metadataSchema.optional(),
  filter: filterSchema.optional(),
})
type Spec = z.output<typeof spec>

export default defineSource<Spec>({
  type: 'sqs',
  title: 'AWS SQS',
  summary: 'Takes messages from an AWS SQS queue.',
  strategy: 'active-active',
  guarantee: 'exactly-once',
  because:
    'A message is deleted only when its event is durable, and its event has the id of the message: what SQS delivers again, ' +
    "to any replica, is stored once (within the bus's window).",
  ids: "`MessageId`, which SQS gives a message once, unique across all accounts, and repeats with each delivery. A FIFO sender's `MessageDeduplicationId` is no part of it: what SQS lets through is a message of its own.",
  untried: {
    delivery:
      'all replicas serve, so there is no leader to kill, and what a killed one held comes again after half a minute only: test/faults/sqs.test.ts kills and freezes replicas',
  },
  filterable: true,
  spec,
  event: z.object({
    messageId: z.string().describe('Id that SQS gave the message.'),
    messageAttributes: z
      .record(
        z.string(),
        z.object({
          BinaryListValues: z.null().describe('Not in use at AWS.'),
          BinaryValue: z.string().nullable().describe('Base64, for the type `Binary`.'),
          DataType: z.string().nullable().describe('`String`, `Number` or `Binary`, perhaps with a custom label.'),
          StringListValues: z.null().describe('Not in use at AWS.'),
          StringValue: z.string().nullable().describe('Text, for the types `String` and `Number`.'),
        }),
      )
      .nullable()
      .describe("The message's own attributes, keys sorted; null when there are none."),
    body: z.unknown().describe('The message body: base64 text, or JSON as sent when `jsonBody` is set.'),
    metadata: z.record(z.string(), z.string()).optional().describe('`metadata` of the entry, when there is any.'),
  }),
  examples,
  validate,
  poll: pollQueue,
  claims({ queue, queueAccountId, region, endpoint }) {
    const at = [endpoint, region, queueAccountId].filter((one) => one !== '').join(' ')
    return [{ at, name: queue, what: `the queue ${queue} (${at})`, remedy: 'give each entry a queue of its own' }]
  },
})

function validate(spec: Spec): Finding[] {
  const { region, queue, waitTimeSeconds } = spec
  const error = (field: string, message: string, remedy: string): Finding[] => [
    { severity: 'error', path: [field], message, remedy },
  ]
  if (region === '') return error('region', 'must specify region', 'for example region: us-east-1')
  if (queue === '') return error('queue', 'must specify queue name', 'the name alone, for example queue: orders')
  const findings = awsAccessFindings(spec)
  if (!/^[\w-]{1,80}(\.fifo)?$/.test(queue)) {
    const name = /^(?:https?:\/\/|arn:).*[/:]([\w-]+(?:\.fifo)?)$/.exec(queue)?.[1]
    findings.push({
      severity: 'warning',
      fatal: true,
      path: ['queue'],
      message: `${JSON.stringify(queue)} is not the name of a queue`,
      remedy: name === undefined ? 'up to 80 letters, digits, - and _, perhaps with .fifo' : `write queue: ${name}`,
    })
  }
  if (waitTimeSeconds < 0 || waitTimeSeconds > 20) {
    findings.push({
      severity: 'warning',
      fatal: true,
      path: ['waitTimeSeconds'],
      message: `waitTimeSeconds ${waitTimeSeconds} is refused by SQS`,
      remedy: 'use 1 to 20, or 0 for the default of 3',
    })
  }
  return findings
}
