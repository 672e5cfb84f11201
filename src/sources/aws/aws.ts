/** Access to AWS: the fields that the types `sqs` and `sns` share, what they mean to the SDK's clients, and the SDK's default chain. */
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@aws-sdk/types'
import { z } from 'zod'
import { fail } from '../../core/errors.ts'
import { secretKeySelector } from '../../source/schemas.ts'
import { sentSecret } from '../../source/secrets.ts'
import type { EntryContext, Finding, SecretKeySelector } from '../../source.ts'
import { isHttpUrl } from '../hooks/findings.ts'

export const awsAccessFields = {
  region: z.string().default('').describe('AWS region, e.g. `us-east-1`.'),
  accessKey: secretKeySelector
    .optional()
    .describe(
      'Access key id. Needs `secretKey`. Without both, the default chain of the AWS SDK is used: environment, web identity (IRSA), shared files, container, instance metadata.',
    ),
  secretKey: secretKeySelector.optional().describe('Secret access key that belongs to `accessKey`.'),
  roleARN: z
    .string()
    .default('')
    .describe('Role to assume with the credentials of the default chain; wins over `accessKey` and `secretKey`.'),
  endpoint: z
    .string()
    .default('')
    .describe('URL of another endpoint of the service, e.g. of a VPC endpoint or of LocalStack.'),
}

export interface AwsAccess {
  region: string
  accessKey?: SecretKeySelector | undefined
  secretKey?: SecretKeySelector | undefined
  sessionToken?: SecretKeySelector | undefined
  roleARN: string
  endpoint: string
}

/** What upstream accepts although no request can succeed, or although it is not used. */
export function awsAccessFindings(access: AwsAccess): Finding[] {
  const { accessKey, secretKey, sessionToken, roleARN, endpoint } = access
  const findings: Finding[] = []
  const warn = (field: string, message: string, remedy: string, fatal = false) =>
    findings.push({ severity: 'warning', path: [field], message, remedy, ...(fatal ? { fatal } : {}) })
  if (endpoint !== '' && !isHttpUrl(endpoint))
    warn('endpoint', `endpoint ${JSON.stringify(endpoint)} is no http(s) URL`, 'write https://host[:port]', true)
  if (roleARN !== '') {
    for (const field of ['accessKey', 'secretKey', 'sessionToken'] as const)
      if (access[field] !== undefined)
        warn(field, `${field} is not used: roleARN wins over static keys`, `remove ${field}, or remove roleARN`)
  } else if ((accessKey === undefined) !== (secretKey === undefined)) {
    const missing = accessKey === undefined ? 'accessKey' : 'secretKey'
    const words = accessKey === undefined ? 'access key' : 'secret key'
    const remedy = `add ${missing}, or remove both to use the default chain`
    warn(missing, `can not find ${words}, secret key selector is nil`, remedy, true)
  } else if (sessionToken !== undefined && accessKey === undefined) {
    const message = 'sessionToken is not used without accessKey and secretKey'
    warn('sessionToken', message, 'add accessKey and secretKey, or remove sessionToken')
  }
  return findings
}

/**
 * How often secrets are read anew, milliseconds. The SDK asks a provider again when less than five minutes of a
 * credential's life are left, so a credential read from a Secret is said to live five minutes longer than this.
 */
const REREAD_MS = 30_000
const SDK_RENEWS_BEFORE_MS = 300_000
const CONNECT_MS = 5_000

/**
 * The configuration of an SDK client. Each call is tried once: sources repeat by themselves, for ever.
 * @param answerMs how long the service may take to answer
 */
export function awsClientConfig(
  access: AwsAccess,
  ctx: Pick<EntryContext, 'secret' | 'clock' | 'eventSource' | 'entry'>,
  { answerMs }: { answerMs: number },
) {
  const { region, endpoint } = access
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: answerMs, throwOnRequestTimeout: true }
  const credentials = credentialsOf(access, ctx)
  return {
    region,
    maxAttempts: 1,
    requestHandler,
    ...(endpoint === '' ? {} : { endpoint }),
    // Left out: the SDK's default chain.
    ...(credentials === undefined ? {} : { credentials }),
  }
}

function credentialsOf(
  { accessKey, secretKey, sessionToken, roleARN, region }: AwsAccess,
  ctx: Pick<EntryContext, 'secret' | 'clock' | 'eventSource' | 'entry'>,
): AwsCredentialIdentityProvider | undefined {
  const { clock, eventSource, entry } = ctx
  if (roleARN !== '') return () => assumeRole(roleARN, region, `vedette-${eventSource}-${entry}`)
  if (accessKey === undefined || secretKey === undefined) return undefined
  return async () => ({
    accessKeyId: await sentSecret(ctx, accessKey),
    secretAccessKey: await sentSecret(ctx, secretKey),
    ...(sessionToken === undefined ? {} : { sessionToken: await sentSecret(ctx, sessionToken) }),
    expiration: new Date(clock.now() + SDK_RENEWS_BEFORE_MS + REREAD_MS),
  })
}

/** The default chain of the SDK, as its clients have it when they are given no credentials; what it gives is renewed before it ends. */
export async function defaultCredentials(region: string): Promise<AwsCredentialIdentityProvider> {
  const { STSClient } = await import('@aws-sdk/client-sts')
  return new STSClient({ region }).config.credentials
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html; the SDK keeps the result until it nearly expires. */
async function assumeRole(roleARN: string, region: string, session: string): Promise<AwsCredentialIdentity> {
  const { AssumeRoleCommand, STSClient } = await import('@aws-sdk/client-sts')
  const client = new STSClient({ region })
  try {
    const RoleSessionName = session.replace(/[^\w+=,.@-]/g, '-').slice(0, 64)
    const { Credentials: given } = await client.send(new AssumeRoleCommand({ RoleArn: roleARN, RoleSessionName }))
    if (given?.AccessKeyId === undefined || given.SecretAccessKey === undefined)
      throw fail('ORIGIN_UNAVAILABLE', `STS gave no credentials for ${roleARN}`)
    return {
      accessKeyId: given.AccessKeyId,
      secretAccessKey: given.SecretAccessKey,
      ...(given.SessionToken === undefined ? {} : { sessionToken: given.SessionToken }),
      ...(given.Expiration === undefined ? {} : { expiration: given.Expiration }),
    }
  } finally {
    client.destroy()
  }
}

/** The text of an SDK error. Only its first line: the rest of a signature error holds the request's headers, session token and all. */
export function awsErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const [line = ''] = error.message.split('\n')
  const code = (error as NodeJS.ErrnoException).code
  const text = line === '' ? (code ?? 'no answer') : line
  return error.name === 'Error' || text.startsWith(error.name) ? text : `${error.name}: ${text}`
}
