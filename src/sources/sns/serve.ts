/** Serves what SNS posts: notifications become events, subscriptions are confirmed. */
import { messageOf as errorText } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { HttpAnswer, SourceContext } from '../../source.ts'
import { deliveryId, payloadEncoder, success } from '../shared/hook-request.ts'
import { webhookRoute } from '../shared/webhook-context.ts'
import { createCertificates } from './certificates.ts'
import { messageOf, signedText } from './message.ts'
import { verifySignature } from './signature.ts'
import { confirm, type TopicSpec } from './topic.ts'

export interface SnsSpec extends TopicSpec {
  validateSignature: boolean
  metadata?: Record<string, string> | undefined
}

export async function serveSns(ctx: SourceContext<SnsSpec>): Promise<void> {
  const { topicArn, webhook, validateSignature, metadata, endpoint } = ctx.spec
  const certificates = createCertificates({ clock: ctx.clock, endpoint })
  const payload = payloadEncoder('header', metadata)

  const confirmSubscription = async (token: string): Promise<HttpAnswer> => {
    try {
      await confirm(ctx, token)
    } catch (error) {
      ctx.log.warn('a subscription could not be confirmed', { error: errorText(error) })
      throw error
    }
    ctx.log.info('subscription is confirmed', { topic: topicArn })
    return { status: 200 }
  }

  await ctx.http({
    ...webhookRoute(webhook!),
    methods: ['POST'],
    async handle(request) {
      const message = messageOf(request)
      if (validateSignature) await verifySignature(message, certificates)
      if (message.TopicArn !== topicArn)
        return { status: 403, body: 'the message is not one of the topic of this entry' }
      if (validateSignature) request.proved()
      if (message.Type === 'SubscriptionConfirmation') return await confirmSubscription(message.Token)
      // The registrar subscribes again when somebody has unsubscribed.
      if (message.Type !== 'Notification') return { status: 200 }
      const id = deliveryId(message.MessageId, signedText(message))
      return success(await ctx.emit({ data: payload(request, message.json), id }))
    },
  })
  await whenAborted(ctx.signal)
}
