/** The fields of the type `storageGrid`, upstream's rules in its order, and what cannot work. */
import { z } from 'zod'
import { metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import { tlsSchema } from '../../source/tls.ts'
import type { Finding } from '../../source.ts'
import { baseFindings, providerFindings } from '../hooks/findings.ts'
import { unsignedAdvice } from '../hooks/serve.ts'
import { validateWebhookContext, webhookContextSchema } from '../hooks/webhook-context.ts'

export const spec = z.object({
  webhook: webhookContextSchema
    .optional()
    .describe('Where StorageGRID posts to. With `url` the endpoint and the notifications of the bucket are set up.'),
  topicArn: z
    .string()
    .default('')
    .describe('URN of the endpoint at StorageGRID, e.g. `urn:sgws:sns:us-east:1:events`.'),
  apiURL: z.string().default('').describe('Base of the Tenant Management API, e.g. `https://grid.example.com/api/v3`.'),
  authToken: secretKeySelector.optional().describe('Bearer token of the Tenant Management API.'),
  bucket: z.string().default('').describe('Bucket whose changes are told.'),
  events: z.array(z.string()).optional().describe('Kinds of events, e.g. `ObjectCreated:*`, `s3:ObjectRemoved:*`.'),
  filter: z
    .object({
      prefix: z.string().default('').describe('The key of the object begins with this.'),
      suffix: z.string().default('').describe('The key of the object ends with this.'),
    })
    .optional()
    .describe('Only notifications of such objects become events. No expression, unlike in other types.'),
  region: z.string().default('').describe('Accepted and unused, as in Argo Events.'),
  tls: tlsSchema.optional().describe('TLS towards the Tenant Management API.'),
  metadata: metadataSchema.optional(),
})

export type Spec = z.output<typeof spec>

export const isUnsigned = ({ webhook }: Pick<Spec, 'webhook'>): boolean => webhook?.authSecret === undefined

export function validate(spec: Spec): Finding[] {
  const { topicArn, apiURL, authToken, bucket, events, webhook } = spec
  const missing: [boolean, string, string, string][] = [
    [topicArn === '', 'topicArn', 'topic arn must be provided', 'the URN of the endpoint'],
    [apiURL === '', 'apiURL', 'api url must be provided', 'for example apiURL: https://grid.example.com/api/v3'],
    [authToken === undefined, 'authToken', 'api auth token must be provided', 'add authToken: {name: …, key: …}'],
    [bucket === '', 'bucket', 'bucket name must be provided', 'for example bucket: uploads'],
    [events === undefined, 'events', 'event types must be provided', "for example events: ['ObjectCreated:*']"],
  ]
  for (const [is, field, message, remedy] of missing)
    if (is) return [{ severity: 'error', path: [field], message, remedy }]
  const findings = validateWebhookContext(webhook, ['webhook'])
  if (findings.some(({ severity }) => severity === 'error')) return findings
  findings.push(...baseFindings(apiURL, 'apiURL'))
  const signed = 'and let nothing but StorageGRID reach the port'
  findings.push(...providerFindings(webhook!, { provider: 'StorageGRID', urlNeeded: false, signed }))
  return [...findings, ...unsignedAdvice(isUnsigned(spec), 'let nothing but StorageGRID reach the port')]
}
