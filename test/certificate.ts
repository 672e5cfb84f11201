import { makeCertificate as make } from '../src/controller/x509.ts'

/**
 * @param addresses further IPv4 addresses that it is good for
 * @returns PEM texts of a key and a self-signed certificate for `localhost` and 127.0.0.1, valid for a day
 */
export function makeCertificate(commonName = 'localhost', addresses: string[] = []): { cert: string; key: string } {
  const now = Date.now()
  const names = ['localhost', '127.0.0.1', ...addresses]
  return make({ commonName, names, notBefore: now - 3_600_000, notAfter: now + 86_400_000 })
}
