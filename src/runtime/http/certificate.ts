/** The certificate of a TLS port. */
import { createSecureContext } from 'node:tls'
import { fail, messageOf } from '../../core/errors.ts'
import type { HttpRoute, SecretKeySelector } from '../../source.ts'

/** PEM texts. */
export interface Certificate {
  cert: string
  key: string
}

/** Reads and checks the certificate that a route names. @throws SECRET_MISSING, or SPEC_INVALID without any of the key's text */
export async function readCertificate(
  tls: NonNullable<HttpRoute['tls']>,
  secret: (selector: SecretKeySelector) => Promise<string>,
): Promise<Certificate> {
  const [cert, key] = await Promise.all([secret(tls.cert), secret(tls.key)])
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw fail(
      'SPEC_INVALID',
      `the certificate in Secret ${tls.cert.name}/${tls.cert.key} and the key in ${tls.key.name}/${tls.key.key} cannot be used (${messageOf(error)}): both must be PEM and belong together`,
    )
  }
  return { cert, key }
}

export const sameCertificate = (a: Certificate | null, b: Certificate | null): boolean =>
  a?.cert === b?.cert && a?.key === b?.key
