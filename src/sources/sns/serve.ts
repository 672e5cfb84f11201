/** Serves what SNS posts: notifications become events, subscriptions are confirmed. */
import { ratedLogger } from '../../core/rated-log.ts'
import { whenAborted } from '../../core/signals.ts'
import type { HttpContext } from '../../source.ts'
import { deliveryId, payloadEncoder, success } from '../hooks/request.ts'
import { webhookRoute } from '../hooks/webhook-context.ts'
import { createCertificates } from './certificates.ts'
import { createConfirmations } from './confirmations.ts'
import { messageOf, signedText } from './message.ts'
import { verifySignature } from './signature.ts'
import { confirm, type TopicSpec } from './topic.ts'

export interface SnsSpec extends TopicSpec {
  validateSignature: boolean
  metadata?: Record<string, string> | undefined
}

export async function serveSns(ctx: HttpContext<SnsSpec>): Promise<void> {
  const { topicArn, webhook, validateSignature, metadata, endpoint } = ctx.spec
  const certificates = createCertificates({ clock: ctx.clock, topicArn, endpoint })
  const payload = payloadEncoder('header', metadata)

  const confirmed = createConfirmations({
    clock: ctx.clock,
    log: ratedLogger(ctx.log, ctx.clock),
    topicArn,
    confirm: (token) => confirm(ctx, token),
  })
  /**
   * A confirmation costs a call with our credentials, and SNS signs each, also where messages come raw: it is verified whatever
   * `validateSignature` says. Not so where `endpoint` is something of one's own: emulators do not sign all of them.
   */
  const isVerified = (type: string): boolean =>
    validateSignature || (type === 'SubscriptionConfirmation' && endpoint === '')

  await ctx.http({
    ...webhookRoute(webhook!),
    methods: ['POST'],
    async handle(request) {
      const message = messageOf(request)
      if (message.TopicArn !== topicArn)
        return { status: 403, body: 'the message is not one of the topic of this entry' }
      if (isVerified(message.Type)) {
        await verifySignature(message, certificates)
        request.proved()
      }
      if (message.Type === 'SubscriptionConfirmation') {
        await confirmed(message.Token)
        return { status: 200 }
      }
      // The registrar subscribes again when somebody has unsubscribed.
      if (message.Type !== 'Notification') return { status: 200 }
      const id = deliveryId(message.MessageId, signedText(message))
      return success(await ctx.emit({ data: payload(request, message.json), id }))
    },
  })
  await whenAborted(ctx.signal)
}
