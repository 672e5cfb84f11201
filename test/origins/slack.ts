/** Slack, which signs what it sends. */
import { createHmac } from 'node:crypto'
import { context, httpContract, selector } from './http.ts'

const slackEvent = (n: number) =>
  JSON.stringify({ type: 'event_callback', token: 't', event_id: `Ev${n}`, event: { type: 'app_mention' } })

export const contract = httpContract(
  (port) => ({ webhook: context(port), token: { name: 's', key: 't' }, signingSecret: selector }),
  (n) => {
    const at = String(Math.floor(Date.now() / 1000))
    const signature = createHmac('sha256', 'k')
      .update(`v0:${at}:${slackEvent(n)}`)
      .digest('hex')
    return { 'x-slack-request-timestamp': at, 'x-slack-signature': `v0=${signature}` }
  },
  { bodyOf: slackEvent, secrets: { 's/t': 't', 's/k': 'k' } },
)
