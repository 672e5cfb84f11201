/** What providers post to a hook: the headers and body of one delivery, with its proof. A key says which delivery it is: repeated, it is the same one. */
import { createHmac } from 'node:crypto'
import { stripeSignature } from './stripe.ts'

export interface Delivery {
  headers: Record<string, string>
  body: string
}

const hub = (body: string, secret: string) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`

/** A push to a branch of `SHOP/orders`. */
const refsChanged = (key: string) =>
  JSON.stringify({
    key,
    repository: { slug: 'orders', project: { key: 'SHOP' } },
    changes: [
      {
        ref: { id: 'refs/heads/main', displayId: 'main', type: 'BRANCH' },
        refId: 'r',
        fromHash: '0',
        toHash: key,
        type: 'UPDATE',
      },
    ],
  })

/** By type. Without a secret, or with one that the type does not know, nothing is proven. The secret of `webhook` is one of Standard Webhooks. */
export const deliveries = {
  webhook(key: string, secret: string) {
    const body = JSON.stringify({ key })
    const seconds = Math.floor(Date.now() / 1000)
    const signature = createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64'))
      .update(`${key}.${seconds}.${body}`)
      .digest('base64')
    return {
      headers: { 'webhook-id': key, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` },
      body,
    }
  },
  github(key: string, secret = '') {
    const body = JSON.stringify({ key })
    return {
      headers: { 'x-github-event': 'push', 'x-github-delivery': key, 'x-hub-signature-256': hub(body, secret) },
      body,
    }
  },
  gitlab: (key: string, secret = '') => ({
    headers: { 'x-gitlab-event': 'Push Hook', 'idempotency-key': key, 'x-gitlab-token': secret },
    body: JSON.stringify({ key }),
  }),
  bitbucket(key: string, secret = '') {
    const body = JSON.stringify({ key })
    return {
      headers: { 'x-event-key': 'repo:push', 'x-request-uuid': key, 'x-hub-signature': hub(body, secret) },
      body,
    }
  },
  bitbucketserver(key: string, secret = '') {
    const body = refsChanged(key)
    return {
      headers: { 'x-event-key': 'repo:refs_changed', 'x-request-id': key, 'x-hub-signature': hub(body, secret) },
      body,
    }
  },
  sns: (key: string, TopicArn: string) => ({
    headers: { 'x-amz-sns-message-type': 'Notification' },
    body: JSON.stringify({ Type: 'Notification', MessageId: key, TopicArn, Message: key }),
  }),
  storageGrid(key: string) {
    const Message = JSON.stringify({ Records: [{ s3: { object: { key, sequencer: '1' } } }] })
    return {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ Action: 'Publish', Message }).toString(),
    }
  },
  slack(key: string, secret: string, token = 'good') {
    const event = { type: 'app_mention', text: key }
    const body = JSON.stringify({ type: 'event_callback', token, event_id: key, event })
    const at = Math.floor(Date.now() / 1000)
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`
    return { headers: { 'x-slack-request-timestamp': String(at), 'x-slack-signature': signature }, body }
  },
  stripe(key: string, secret: string) {
    const body = JSON.stringify({ id: key, type: 'charge.succeeded', data: { object: {} } })
    return { headers: { 'stripe-signature': stripeSignature(body, secret) }, body }
  },
} satisfies Record<string, (key: string, secret: string) => Delivery>
