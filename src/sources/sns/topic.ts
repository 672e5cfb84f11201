/** The topic at SNS, by the AWS SDK: its subscriptions, for the registrar, and their confirmation. */
import type { SNSClient } from '@aws-sdk/client-sns'
import { fail, isVedetteError } from '../../core/errors.ts'
import type { EntryContext, Hook, HookRegistration } from '../../source.ts'
import { type AwsAccess, awsClientConfig, awsErrorText } from '../aws/aws.ts'
import { hookUrl } from '../hooks/request.ts'
import type { WebhookContext } from '../hooks/webhook-context.ts'

export interface TopicSpec extends AwsAccess {
  topicArn: string
  webhook?: WebhookContext | undefined
}

/** SNS has one subscription per topic and endpoint, so its endpoint is its identity: the ARN comes only with the confirmation. */
interface Subscription extends Hook {
  /** Null until it is confirmed. */
  arn: string | null
}

const ANSWER_MS = 10_000

async function withClient<T>(ctx: EntryContext<TopicSpec>, work: (client: SNSClient) => Promise<T>): Promise<T> {
  const { SNSClient } = await import('@aws-sdk/client-sns')
  const client = new SNSClient(awsClientConfig(ctx.spec, ctx, { answerMs: ANSWER_MS }))
  try {
    return await work(client)
  } catch (error) {
    if (isVedetteError(error)) throw error
    const { httpStatusCode: status } = (error as { $metadata?: { httpStatusCode?: number } }).$metadata ?? {}
    throw fail('ORIGIN_UNAVAILABLE', awsErrorText(error), { status })
  } finally {
    client.destroy()
  }
}

const statusOf = (error: unknown): number => (isVedetteError(error) ? Number(error.details.status ?? 0) : 0)

/** @throws EVENT_INVALID when SNS refuses the token; ORIGIN_UNAVAILABLE when it cannot be asked now */
export async function confirm(ctx: EntryContext<TopicSpec>, token: string): Promise<void> {
  const { ConfirmSubscriptionCommand } = await import('@aws-sdk/client-sns')
  const { topicArn: TopicArn } = ctx.spec
  try {
    await withClient(ctx, (client) => client.send(new ConfirmSubscriptionCommand({ TopicArn, Token: token })))
  } catch (error) {
    const status = statusOf(error)
    if (status >= 400 && status < 500 && status !== 429) throw fail('EVENT_INVALID', (error as Error).message)
    throw error
  }
}

/** One subscription of the topic to this entry's URL; null when the entry says no URL. */
export async function subscriptions(ctx: EntryContext<TopicSpec>): Promise<HookRegistration | null> {
  const { topicArn: TopicArn, webhook } = ctx.spec
  if (webhook === undefined || webhook.url === '') return null
  const { ListSubscriptionsByTopicCommand, SubscribeCommand, UnsubscribeCommand } = await import('@aws-sdk/client-sns')
  const url = hookUrl(webhook)
  const Protocol = url.includes('https://') ? 'https' : 'http'
  const subscription = (endpoint: string, arn: string | undefined): Subscription => ({
    id: endpoint,
    arn: arn?.startsWith('arn:') ? arn : null,
  })
  const listed = (abortSignal: AbortSignal) =>
    withClient(ctx, async (client) => {
      const found: Subscription[] = []
      let NextToken: string | undefined
      do {
        const page = await client.send(
          new ListSubscriptionsByTopicCommand({ TopicArn, ...(NextToken === undefined ? {} : { NextToken }) }),
          { abortSignal },
        )
        for (const { Endpoint = '', SubscriptionArn } of page.Subscriptions ?? [])
          found.push(subscription(Endpoint, SubscriptionArn))
        NextToken = page.NextToken
      } while (NextToken !== undefined)
      return found
    })
  const list = async (signal: AbortSignal): Promise<Subscription[]> => {
    try {
      return await listed(signal)
    } catch (error) {
      // Argo Events needs no right to list. Subscribing again is harmless, so that a subscription can be kept without it.
      if (statusOf(error) !== 403) throw error
      ctx.log.debug('subscriptions may not be listed; subscribing all the same')
      return []
    }
  }

  return {
    wanted: { url, TopicArn },
    removeOnDelete: true,
    targets: async () => [
      {
        name: TopicArn,
        list,
        isOurs: ({ id }) => id === url,
        isCurrent: ({ arn }) => arn !== null,
        // Again for one that is not confirmed yet: SNS then sends the confirmation anew.
        create: (abortSignal) =>
          withClient(ctx, async (client) => {
            const request = new SubscribeCommand({ TopicArn, Protocol, Endpoint: url })
            const { SubscriptionArn } = await client.send(request, { abortSignal })
            return { hook: subscription(url, SubscriptionArn) }
          }),
        // One that is not confirmed has no ARN and goes by itself, after two days.
        delete: async ({ arn: SubscriptionArn }, abortSignal) => {
          if (SubscriptionArn === null) return
          await withClient(ctx, (client) => client.send(new UnsubscribeCommand({ SubscriptionArn }), { abortSignal }))
        },
        async recover(hook, signal) {
          if (hook.arn !== null) return 0
          const pending = (await list(signal)).some(({ id, arn }) => id === url && arn === null)
          if (pending) {
            throw fail('ORIGIN_UNAVAILABLE', `the subscription is not confirmed yet: SNS must be able to reach ${url}`)
          }
          return 0
        },
      },
    ],
  }
}
