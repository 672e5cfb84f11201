/** Self-signed certificates for tests, made without any outside program (DER by hand, X.509 of RFC 5280). */
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto'

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const time = (date: Date) => der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))

/**
 * @param addresses further IPv4 addresses that it is good for
 * @returns PEM texts of a P-256 (or RSA) key and a certificate for `localhost` and 127.0.0.1, valid for a day from an hour ago
 */
export function makeCertificate(
  commonName = 'localhost',
  { rsa = false, nowMs = Date.now(), addresses = [] }: { rsa?: boolean; nowMs?: number; addresses?: string[] } = {},
): { cert: string; key: string } {
  const { privateKey, publicKey } = rsa
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = rsa ? sequence(oid('2a864886f70d01010b'), der(0x05)) : sequence(oid('2a8648ce3d040302'))
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))))
  const alternatives = sequence(
    der(0x82, Buffer.from('localhost')),
    ...['127.0.0.1', ...addresses].map((address) => der(0x87, Buffer.from(address.split('.').map(Number)))),
  )
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1]), randomBytes(8)),
    algorithm,
    name,
    sequence(time(new Date(nowMs - 3_600_000)), time(new Date(nowMs + 86_400_000))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(sequence(oid('551d11'), der(0x04, alternatives)))),
  )
  const signature = createSign('sha256').update(tbs).sign(privateKey)
  const certificate = sequence(tbs, algorithm, der(0x03, Buffer.from([0]), signature))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}
