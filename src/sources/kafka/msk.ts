/**
 * The login of Amazon MSK by IAM: the token of SASL/OAUTHBEARER is a request for `kafka-cluster:Connect`, presigned by AWS Signature
 * Version 4, in base64url (https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html; the wire is that of
 * aws-msk-iam-sasl-signer-go).
 */
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@aws-sdk/types'
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { awsErrorText, defaultCredentials } from '../aws/aws.ts'
import { awsEscaped, Sha256 } from '../aws/signing.ts'

/** The longest that MSK allows. */
const LIFETIME_S = 900

/** Gives a new token each time. @throws ORIGIN_UNAVAILABLE when AWS's default chain has no credentials */
export async function mskTokens(region: string, clock: Clock): Promise<() => Promise<string>> {
  const credentials: AwsCredentialIdentityProvider = await defaultCredentials(region)
  return async () => {
    const identity = await credentials().catch((error: unknown) => {
      throw fail('ORIGIN_UNAVAILABLE', `AWS credentials: ${awsErrorText(error)}`, {}, { cause: error })
    })
    return await mskToken(region, identity, new Date(clock.now()))
  }
}

/** @param userAgent not signed; shown by logs of AWS */
export async function mskToken(
  region: string,
  credentials: AwsCredentialIdentity,
  signingDate: Date,
  userAgent = 'vedette',
): Promise<string> {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const hostname = `kafka.${region}.amazonaws.com`
  const signer = new SignatureV4({ service: 'kafka-cluster', region, credentials, sha256: Sha256 })
  const { query } = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname,
      path: '/',
      query: { Action: 'kafka-cluster:Connect' },
      headers: { host: hostname },
    },
    { signingDate, expiresIn: LIFETIME_S },
  )
  const pairs = Object.entries({ ...query, 'User-Agent': userAgent }).sort(([a], [b]) => (a < b ? -1 : 1))
  const text = pairs.map(([name, value]) => `${name}=${awsEscaped(String(value))}`).join('&')
  return Buffer.from(`https://${hostname}/?${text}`).toString('base64url')
}
