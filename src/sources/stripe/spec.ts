/** The fields of the type `stripe`, upstream's rules in its order, and what cannot work. */
import { z } from 'zod'
import { metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'
import { providerFindings } from '../hooks/findings.ts'
import { unsignedAdvice } from '../hooks/serve.ts'
import { validateWebhookContext, webhookContextSchema } from '../hooks/webhook-context.ts'

export const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where Stripe posts to. `url` is needed where the endpoint is created at Stripe.'),
  createWebhook: z
    .boolean()
    .default(false)
    .describe('Create the webhook endpoint at Stripe. Its signing secret is then kept on the bus and verified.'),
  apiKey: secretKeySelector
    .optional()
    .describe('API key that may write webhook endpoints; needed with `createWebhook`.'),
  signingSecret: secretKeySelector
    .optional()
    .describe(
      'Signing secret (`whsec_…`) of an endpoint that was made by hand: only requests signed with it are accepted. Several, one per line, are all accepted. Not in Argo Events.',
    ),
  eventFilter: z
    .array(z.string())
    .optional()
    .describe('Types of events that are published, e.g. `charge.succeeded`; `*` or none: all.'),
  metadata: metadataSchema.optional(),
})

export type Spec = z.output<typeof spec>

export const isUnsigned = ({ createWebhook, signingSecret, webhook }: Spec): boolean =>
  !createWebhook && signingSecret === undefined && webhook?.authSecret === undefined

export function validate(spec: Spec): Finding[] {
  const { createWebhook, apiKey, webhook } = spec
  if (createWebhook && apiKey === undefined) {
    const message = 'api key K8s secret selector not provided'
    return [{ severity: 'error', path: ['apiKey'], message, remedy: 'add apiKey: {name: …, key: …}' }]
  }
  const findings = validateWebhookContext(webhook, ['webhook'])
  if (findings.some(({ severity }) => severity === 'error')) return findings
  const signed = 'and set signingSecret, or createWebhook: true'
  findings.push(...providerFindings(webhook!, { provider: 'Stripe', urlNeeded: createWebhook, signed }))
  return [...findings, ...unsignedAdvice(isUnsigned(spec), 'set signingSecret, or createWebhook: true')]
}
