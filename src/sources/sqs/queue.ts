/** One queue, by the AWS SDK. */
import type { Message } from '@aws-sdk/client-sqs'
import { fail } from '../../core/errors.ts'
import type { EntryContext } from '../../source.ts'
import { type AwsAccess, awsClientConfig, awsErrorText } from '../aws/aws.ts'

/** The most messages that one request may name. */
export const BATCH = 10

/** Why one message of a batch was refused. */
export interface Refusal {
  receipt: string
  message: string
  /** False when a repeat would be refused as well. */
  again: boolean
}

export interface Queue {
  /** Up to {@link BATCH} messages, waiting for the first one; they stay hidden from others for `hiddenSeconds`. */
  receive(hiddenSeconds: number, signal: AbortSignal): Promise<Message[]>
  /** Deletes up to {@link BATCH} messages by their receipts. @returns those that were not */
  remove(receipts: string[]): Promise<Refusal[]>
  /** Hides them for so long from now on; 0 shows them to others at once. @returns those that are out of our hands */
  hide(receipts: string[], seconds: number): Promise<Refusal[]>
  /** Whether a redrive policy moves what is received too often to a dead-letter queue; null: it may not be asked, or does not answer. */
  redrives(signal: AbortSignal): Promise<boolean | null>
  close(): void
}

export interface QueueSpec extends AwsAccess {
  queue: string
  queueAccountId: string
  waitTimeSeconds: number
}

/** Seconds of long polling when the spec says 0, as upstream has it. */
const DEFAULT_WAIT_SECONDS = 3
/** How long a request that does not wait may take. */
const ANSWER_MS = 20_000

/** @throws ORIGIN_UNAVAILABLE when the queue is not found, may not be read, or cannot be reached */
export async function openQueue(spec: QueueSpec, ctx: EntryContext<unknown>): Promise<Queue> {
  const {
    ChangeMessageVisibilityBatchCommand,
    DeleteMessageBatchCommand,
    GetQueueAttributesCommand,
    GetQueueUrlCommand,
    ReceiveMessageCommand,
    SQSClient,
  } = await import('@aws-sdk/client-sqs')
  const WaitTimeSeconds = spec.waitTimeSeconds || DEFAULT_WAIT_SECONDS
  const client = new SQSClient(awsClientConfig(spec, ctx, { answerMs: WaitTimeSeconds * 1000 + ANSWER_MS }))

  const find = async (): Promise<string> => {
    const { queue: QueueName, queueAccountId } = spec
    const owner = queueAccountId === '' ? {} : { QueueOwnerAWSAccountId: queueAccountId }
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName, ...owner }), { abortSignal: ctx.signal })
    if (QueueUrl === undefined) throw new Error('the answer has no URL')
    return QueueUrl
  }
  const QueueUrl = await find().catch((error: unknown) => {
    client.destroy()
    throw fail('ORIGIN_UNAVAILABLE', `failed to get the queue url for ${ctx.entry}, ${awsErrorText(error)}`)
  })

  return {
    async receive(VisibilityTimeout, abortSignal) {
      const request = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: BATCH,
        VisibilityTimeout,
        WaitTimeSeconds,
        MessageSystemAttributeNames: ['SentTimestamp', 'MessageGroupId'],
        MessageAttributeNames: ['All'],
      })
      return (await client.send(request, { abortSignal })).Messages ?? []
    },
    async remove(receipts) {
      const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle }))
      return refusals(receipts, await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })))
    },
    async hide(receipts, VisibilityTimeout) {
      const Entries = receipts.map((ReceiptHandle, i) => ({ Id: String(i), ReceiptHandle, VisibilityTimeout }))
      return refusals(receipts, await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })))
    },
    async redrives(abortSignal) {
      const question = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['RedrivePolicy'] })
      try {
        return ((await client.send(question, { abortSignal })).Attributes?.RedrivePolicy ?? '') !== ''
      } catch {
        return null
      }
    },
    close: () => client.destroy(),
  }
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_BatchResultErrorEntry.html */
function refusals(
  receipts: string[],
  { Failed = [] }: { Failed?: { Id?: string; Code?: string; Message?: string; SenderFault?: boolean }[] },
): Refusal[] {
  return Failed.flatMap(({ Id, Code = '', Message = '', SenderFault = false }) => {
    const receipt = receipts[Number(Id)]
    return receipt === undefined ? [] : [{ receipt, message: `${Code} ${Message}`.trim(), again: !SenderFault }]
  })
}
