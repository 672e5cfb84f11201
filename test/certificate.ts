/** Self-signed certificates for tests. */
import { makeCertificate as make } from '../src/controller/x509.ts'

/**
 * @param names DNS names and addresses that it is good for; `localhost` and 127.0.0.1 when left out
 * @param addresses further ones
 * @returns PEM texts of a P-256 (or RSA) key and a certificate, valid for a day from an hour ago
 */
export function makeCertificate(
  commonName = 'localhost',
  {
    rsa = false,
    nowMs = Date.now(),
    names = ['localhost', '127.0.0.1'],
    addresses = [],
  }: { rsa?: boolean; nowMs?: number; names?: string[]; addresses?: string[] } = {},
): { cert: string; key: string } {
  return make({
    commonName,
    names: [...names, ...addresses],
    keyKind: rsa ? 'rsa' : 'p256',
    notBefore: nowMs - 3_600_000,
    notAfter: nowMs + 86_400_000,
  })
}
