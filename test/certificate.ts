/** Self-signed certificates for tests. */
import { makeCertificate as make } from '../src/controller/x509.ts'

/**
 * @param addresses further IPv4 addresses that it is good for
 * @returns PEM texts of a P-256 (or RSA) key and a certificate for `localhost` and 127.0.0.1, valid for a day from an hour ago
 */
export function makeCertificate(
  commonName = 'localhost',
  { rsa = false, nowMs = Date.now(), addresses = [] }: { rsa?: boolean; nowMs?: number; addresses?: string[] } = {},
): { cert: string; key: string } {
  return make({
    commonName,
    names: ['localhost', '127.0.0.1', ...addresses],
    keyKind: rsa ? 'rsa' : 'p256',
    notBefore: nowMs - 3_600_000,
    notAfter: nowMs + 86_400_000,
  })
}
