/** A queue on a test server, filled and looked at. */
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'

export interface Received {
  body: string
  delete(): Promise<void>
  /** It is hidden for a second more, then it comes again. */
  leave(): Promise<void>
}

export interface TestQueue {
  readonly name: string
  /** Sends `{"key":"<key>"}` for each key, ten at a time. */
  send(keys: readonly string[]): Promise<void>
  /** The same with whole bodies; no request is repeated. */
  sendTexts(texts: readonly string[]): Promise<void>
  /** Messages that can be received, and those that somebody holds. */
  sizes(): Promise<{ visible: number; held: number }>
  /** One message, received; null when there is none now. */
  receive(): Promise<Received | null>
  close(): void
}

export async function makeQueue(url: string, name: string): Promise<TestQueue> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const client = new SQSClient({ region: 'us-east-1', endpoint: url, credentials })
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name }))
  const once = new SQSClient({ region: 'us-east-1', endpoint: url, credentials, maxAttempts: 1 })
  const batch = async (by: SQSClient, texts: readonly string[]) => {
    const Entries = texts.map((MessageBody, i) => ({ Id: String(i), MessageBody }))
    const { Failed = [] } = await by.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
    if (Failed.length > 0) throw new Error(`not sent: ${Failed[0]?.Message}`)
  }
  return {
    name,
    async send(keys) {
      let next = 0
      const one = async () => {
        while (next < keys.length) {
          const some = keys.slice(next, next + 10)
          next += some.length
          await batch(
            client,
            some.map((key) => JSON.stringify({ key })),
          )
        }
      }
      await Promise.all(Array.from({ length: 8 }, one))
    },
    async sendTexts(texts) {
      for (let i = 0; i < texts.length; i += 10) await batch(once, texts.slice(i, i + 10))
    },
    async sizes() {
      const AttributeNames = ['All'] as 'All'[]
      const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))
      return {
        visible: Number(Attributes?.ApproximateNumberOfMessages),
        held: Number(Attributes?.ApproximateNumberOfMessagesNotVisible),
      }
    },
    async receive() {
      const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 1 }))
      const [message] = Messages
      if (message === undefined) return null
      const { ReceiptHandle, Body = '' } = message
      return {
        body: Body,
        delete: async () => void (await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))),
        async leave() {
          await client.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 1 }))
        },
      }
    },
    close() {
      client.destroy()
      once.destroy()
    },
  }
}
