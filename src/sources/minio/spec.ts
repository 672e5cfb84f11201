/** The fields of a MinIO entry, and upstream's rules for them. */
import { z } from 'zod'
import { metadataSchema, secretKeySelector } from '../../source/schemas.ts'
import type { Finding } from '../../source.ts'

export const specSchema = z.object({
  endpoint: z.string().default('').describe('`host:port`, without a scheme.'),
  bucket: z
    .object({
      name: z.string().default('').describe('The bucket.'),
      key: z.string().default('').describe('Accepted for compatibility; unused.'),
    })
    .optional()
    .describe('The bucket to listen to. Required, though Argo Events accepts an entry without it.'),
  events: z
    .array(z.string())
    .default([])
    .describe('Kinds of events, e.g. `s3:ObjectCreated:*`, `s3:ObjectRemoved:Delete`.'),
  filter: z
    .object({
      prefix: z.string().default('').describe('Only objects whose key begins with this.'),
      suffix: z.string().default('').describe('Only objects whose key ends with this.'),
    })
    .optional()
    .describe('Which objects; the server filters.'),
  accessKey: secretKeySelector.optional().describe('The access key.'),
  secretKey: secretKeySelector.optional().describe('The secret key.'),
  insecure: z.boolean().default(false).describe('HTTP instead of HTTPS.'),
  caCertificate: secretKeySelector.optional().describe('PEM certificates of the authorities to trust.'),
  region: z.string().default('').describe('The region that requests are signed for. Default: `us-east-1`.'),
  metadata: metadataSchema.optional(),
})
export type MinioSpec = z.output<typeof specSchema>

export function validateSpec(spec: MinioSpec): Finding[] {
  const findings = upstreamRules(spec)
  return findings.length > 0 ? findings : cannotWork(spec)
}

function upstreamRules({ accessKey, secretKey, endpoint, bucket, events }: MinioSpec): Finding[] {
  const error = (path: (string | number)[], message: string, remedy: string): Finding[] => [
    { severity: 'error', path, message, remedy },
  ]
  if (accessKey === undefined) return error(['accessKey'], "access key can't be empty", 'name a Secret and its key')
  if (secretKey === undefined) return error(['secretKey'], "secret key can't be empty", 'name a Secret and its key')
  if (endpoint === '') return error(['endpoint'], "endpoint url can't be empty", 'write host:port')
  if (bucket?.name === '') return error(['bucket', 'name'], "bucket name can't be empty", 'name the bucket')
  const unknown = events.indexOf('')
  if (unknown !== -1) return error(['events', unknown], 'unknown event ', 'write a kind, e.g. s3:ObjectCreated:*')
  return []
}

function cannotWork({ endpoint, bucket, events }: MinioSpec): Finding[] {
  const findings: Finding[] = []
  const fatal = (field: string, message: string, remedy: string) =>
    findings.push({ severity: 'warning', fatal: true, path: [field], message, remedy })
  if (/[/@\s]/.test(endpoint) || !URL.canParse(`http://${endpoint}`))
    fatal('endpoint', 'the endpoint is no host:port', 'write host:port; insecure: true means HTTP')
  if (bucket === undefined) fatal('bucket', 'no bucket is named', 'write bucket: { name: … }')
  if (
    events.length > 0 &&
    events.some((one) => one.startsWith('s3:ObjectCreated:')) &&
    !wants({ events }, 's3:ObjectCreated:Put')
  ) {
    findings.push({
      severity: 'advice',
      path: ['events'],
      message:
        'what is written while nobody listens is found by listing and told as s3:ObjectCreated:Put, which is not asked for',
      remedy: 'ask for s3:ObjectCreated:*',
    })
  }
  if (events.length === 0) fatal('events', 'no kind of event is asked for, so none comes', 'write s3:ObjectCreated:*')
  return findings
}

/** The name of the bucket; an entry without one is not served. */
export const bucketOf = ({ bucket }: Pick<MinioSpec, 'bucket'>): string => bucket?.name ?? ''

/** Whether events of this kind are asked for. */
export function wants({ events }: Pick<MinioSpec, 'events'>, kind: string): boolean {
  return events.some((one) => one === kind || (one.endsWith('*') && kind.startsWith(one.slice(0, -1))))
}

/**
 * The kinds to listen to, beside those that are asked for: whoever is to find out what was removed while nobody listened has to know what
 * was there.
 */
export function heardKinds({ events }: Pick<MinioSpec, 'events'>): string[] {
  const removals = events.some(
    (one) => one.startsWith('s3:ObjectRemoved:') || 's3:ObjectRemoved:'.startsWith(one.replace(/\*$/, '')),
  )
  return removals ? [...new Set([...events, 's3:ObjectCreated:*'])] : events
}
