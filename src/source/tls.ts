/** `tls`: how a type talks TLS to its origin (upstream's TLSConfig). */
import { z } from 'zod'
import { fail, messageOf } from '../core/errors.ts'
import type { EntryContext, Finding } from '../source.ts'
import { secretKeySelector } from './schemas.ts'

export const tlsSchema = z
  .object({
    caCertSecret: secretKeySelector
      .optional()
      .describe('PEM certificates of the authorities to trust. Without it, those that the system trusts.'),
    clientCertSecret: secretKeySelector.optional().describe('PEM certificate of the client, with `clientKeySecret`.'),
    clientKeySecret: secretKeySelector.optional().describe('PEM key of the client certificate.'),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe("Do not verify the server's certificate. The certificates above are then not used."),
    enabled: z.boolean().default(false).describe('Use TLS without naming any certificate.'),
  })
  .describe('TLS to the server.')
export type TlsSpec = z.output<typeof tlsSchema>

/** Upstream's rules, in its order and words. */
export function validateTls(tls: TlsSpec | undefined, path: string[] = ['tls']): Finding[] {
  if (tls === undefined || tls.insecureSkipVerify) return []
  const [ca, cert, key] = [tls.caCertSecret, tls.clientCertSecret, tls.clientKeySecret].map((one) => one !== undefined)
  if (cert !== key) {
    return [
      {
        severity: 'error',
        path,
        message: 'invalid tls config, both clientCertSecret and clientKeySecret need to be configured',
        remedy: `add ${cert ? 'clientKeySecret' : 'clientCertSecret'}`,
      },
    ]
  }
  if (ca || cert || tls.enabled) return []
  return [
    {
      severity: 'error',
      path,
      message:
        'invalid tls config, please configure either caCertSecret, or clientCertSecret and clientKeySecret, or both',
      remedy: 'write enabled: true to use the authorities that the system trusts',
    },
  ]
}

/** As `node:tls` takes it. */
export interface TlsMaterial {
  rejectUnauthorized: boolean
  ca?: string
  cert?: string
  key?: string
}

/** Reads the certificates. @throws SECRET_MISSING; SPEC_INVALID when `caCertSecret` holds no certificate */
export async function tlsMaterial(
  { secret }: Pick<EntryContext, 'secret'>,
  tls: TlsSpec | undefined,
): Promise<TlsMaterial> {
  if (tls === undefined) return { rejectUnauthorized: true }
  if (tls.insecureSkipVerify) return { rejectUnauthorized: false }
  const material: TlsMaterial = { rejectUnauthorized: true }
  try {
    if (tls.caCertSecret !== undefined) material.ca = await secret(tls.caCertSecret)
    if (tls.clientCertSecret !== undefined && tls.clientKeySecret !== undefined) {
      material.cert = await secret(tls.clientCertSecret)
      material.key = await secret(tls.clientKeySecret)
    }
  } catch (error) {
    throw fail('SECRET_MISSING', `failed to get the tls configuration, ${messageOf(error)}`, {}, { cause: error })
  }
  if (material.ca !== undefined && !material.ca.includes('BEGIN CERTIFICATE')) {
    throw fail('SPEC_INVALID', 'tls.caCertSecret holds no PEM certificate: nothing could be verified with it')
  }
  return material
}
