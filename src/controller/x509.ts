/** X.509 certificates (RFC 5280) without any outside program: Node makes keys and signatures, the few DER structures are here. */
import { createPrivateKey, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'

/** PEM texts. */
export interface KeyPair {
  cert: string
  key: string
}

/** One of the two is all that a certificate is called by. */
export type Name = { commonName: string } | { organization: string }

export type CertificateRequest = Name & {
  /** DNS names and IPv4 addresses that it is for. */
  names?: string[]
  /** What it may be used for; left out: anything. */
  usages?: ('server' | 'client')[]
  /** Who signs it; left out: itself. */
  issuer?: Name & { key: string }
  /** True for the certificate of a certificate authority. */
  authority?: boolean
  /** Kind of the key; P-256 by default. */
  keyKind?: 'p256' | 'rsa'
  /** Milliseconds since the epoch; before 2050, as UTCTime has it. */
  notBefore: number
  notAfter: number
}

/** A new key and its certificate. */
export function makeCertificate(request: CertificateRequest): KeyPair {
  const { issuer, keyKind = 'p256', notBefore, notAfter } = request
  const { privateKey, publicKey } =
    keyKind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = issuer === undefined ? privateKey : createPrivateKey(issuer.key)
  const algorithm = signer.asymmetricKeyType === 'rsa' ? RSA_WITH_SHA256 : ECDSA_WITH_SHA256
  const tbs = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer ?? request),
    sequence(utcTime(notBefore), utcTime(notAfter)),
    distinguishedName(request),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(request))),
  )
  const signature = createSign('sha256').update(tbs).sign(signer)
  const certificate = sequence(tbs, algorithm, der(0x03, Buffer.from([0]), signature))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function extensions({ names = [], usages = [], authority = false }: CertificateRequest): Buffer[] {
  const list: Buffer[] = []
  const add = (id: string, critical: boolean, value: Buffer) =>
    list.push(sequence(oid(id), ...(critical ? [TRUE] : []), der(0x04, value)))
  if (authority) {
    add('551d13', true, sequence(TRUE))
    // keyCertSign and cRLSign
    add('551d0f', true, der(0x03, Buffer.from([1, 0x06])))
  }
  const purposes = { server: '2b06010505070301', client: '2b06010505070302' }
  if (usages.length > 0) add('551d25', false, sequence(...usages.map((usage) => oid(purposes[usage]))))
  if (names.length > 0) add('551d11', false, sequence(...names.map(generalName)))
  return list
}

function generalName(name: string): Buffer {
  if (isIP(name) === 0) return der(0x82, Buffer.from(name))
  return der(0x87, isIPv4(name) ? Buffer.from(name.split('.').map(Number)) : bytesOfIPv6(name))
}

function bytesOfIPv6(address: string): Buffer {
  // As a URL has it, without digits of IPv4 at its end: groups in hex, one run of zeros left out.
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = [], tail = []] = groups.split('::').map((part) => part.split(':').filter((one) => one !== ''))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex')
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts)
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function integer(value: Buffer): Buffer {
  return der(0x02, value)
}

function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${text}Z`))
}

function distinguishedName(name: Name): Buffer {
  const [attribute, text] = 'commonName' in name ? ['550403', name.commonName] : ['55040a', name.organization]
  return sequence(der(0x31, sequence(oid(attribute), der(0x0c, Buffer.from(text)))))
}

const TRUE = der(0x01, Buffer.from([0xff]))
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const RSA_WITH_SHA256 = sequence(oid('2a864886f70d01010b'), der(0x05))
