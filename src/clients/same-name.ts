/**
 * Certificates that bear the name of the authority that signed them, without key identifiers: Go's crypto/x509 makes such ones when both have
 * one subject, as those of Argo Events' native buses do. Go goes by the signature and accepts them. OpenSSL goes by the name, takes them for
 * self-signed and refuses them, unless such a certificate is itself all that is trusted.
 */
import { X509Certificate } from 'node:crypto'

/** How OpenSSL calls its refusal. */
export const TAKEN_FOR_SELF_SIGNED = /self-signed certificate(?! in)/

/** Of a PEM text. @throws what OpenSSL says of one that cannot be read */
export function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

/**
 * What to trust in the place of `authorities` for a server that shows `shown`: the certificate alone, when one of the authorities has
 * signed it under its own name. Dates and host name are left to TLS, which looks at them as ever.
 * @param now milliseconds since the epoch
 * @returns null when there is no such case, or no authority that has signed it and is good today
 */
export function trustedAlone(
  shown: X509Certificate,
  authorities: readonly X509Certificate[],
  now: number,
): string | null {
  if (shown.subject !== shown.issuer || isSelfSigned(shown)) return null
  const signed = authorities.some(
    (one) => one.ca && one.subject === shown.issuer && isGoodAt(one, now) && shown.verify(one.publicKey),
  )
  return signed ? shown.toString() : null
}

/** Really so, by its signature. */
function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.verify(certificate.publicKey)
}

function isGoodAt({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo)
}
