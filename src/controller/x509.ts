/** X.509 certificates (RFC 5280): Node makes keys and signatures, the structures are those of @peculiar/asn1-x509. */
import { createPrivateKey, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import { isIP, isIPv6 } from 'node:net'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import * as x509 from '@peculiar/asn1-x509'

/** PEM texts. */
export interface KeyPair {
  cert: string
  key: string
}

/** One of the two is all that a certificate is called by. */
export type Name = { commonName: string } | { organization: string }

export type CertificateRequest = Name & {
  /** DNS names and IP addresses that it is for. */
  names?: string[]
  /** What it may be used for; left out: anything. */
  usages?: ('server' | 'client')[]
  /** Who signs it; left out: itself. */
  issuer?: Name & { key: string }
  /** True for the certificate of a certificate authority. */
  authority?: boolean
  /** Kind of the key; P-256 by default. */
  keyKind?: 'p256' | 'rsa'
  /** Milliseconds since the epoch. */
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
  const signatureAlgorithm =
    signer.asymmetricKeyType === 'rsa'
      ? new x509.AlgorithmIdentifier({ algorithm: SHA256_WITH_RSA, parameters: null })
      : new x509.AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 })
  const tbsCertificate = new x509.TBSCertificate({
    version: x509.Version.v3,
    // Positive, and never with a byte that could be left out.
    serialNumber: bytes(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    signature: signatureAlgorithm,
    issuer: distinguishedName(issuer ?? request),
    validity: new x509.Validity({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) }),
    subject: distinguishedName(request),
    subjectPublicKeyInfo: AsnConvert.parse(
      publicKey.export({ type: 'spki', format: 'der' }),
      x509.SubjectPublicKeyInfo,
    ),
    extensions: new x509.Extensions(extensions(request)),
  })
  const signature = createSign('sha256')
    .update(Buffer.from(AsnConvert.serialize(tbsCertificate)))
    .sign(signer)
  const certificate = new x509.Certificate({ tbsCertificate, signatureAlgorithm, signatureValue: bytes(signature) })
  const lines =
    Buffer.from(AsnConvert.serialize(certificate))
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

const SHA256_WITH_RSA = '1.2.840.113549.1.1.11'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const ORGANIZATION = '2.5.4.10'
const PURPOSES = { server: x509.id_kp_serverAuth, client: x509.id_kp_clientAuth }

function extensions({ names = [], usages = [], authority = false }: CertificateRequest): x509.Extension[] {
  const list: x509.Extension[] = []
  const add = (extnID: string, critical: boolean, value: unknown) =>
    list.push(new x509.Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) }))
  if (authority) {
    add(x509.id_ce_basicConstraints, true, new x509.BasicConstraints({ cA: true }))
    const { keyCertSign, cRLSign } = x509.KeyUsageFlags
    add(x509.id_ce_keyUsage, true, new x509.KeyUsage(keyCertSign | cRLSign))
  }
  const purposes = usages.map((usage) => PURPOSES[usage])
  if (usages.length > 0) add(x509.id_ce_extKeyUsage, false, new x509.ExtendedKeyUsage(purposes))
  if (names.length > 0) add(x509.id_ce_subjectAltName, false, new x509.SubjectAlternativeName(names.map(generalName)))
  return list
}

function generalName(name: string): x509.GeneralName {
  if (isIP(name) === 0) return new x509.GeneralName({ dNSName: name })
  // As a URL has it, without digits of IPv4 at its end, which the library does not know.
  return new x509.GeneralName({ iPAddress: isIPv6(name) ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name })
}

function distinguishedName(name: Name): x509.Name {
  const [type, text] = 'commonName' in name ? [COMMON_NAME, name.commonName] : [ORGANIZATION, name.organization]
  const value = new x509.AttributeValue({ utf8String: text })
  return new x509.Name([new x509.RelativeDistinguishedName([new x509.AttributeTypeAndValue({ type, value })])])
}

const bytes = (buffer: Buffer): ArrayBuffer => new Uint8Array(buffer).buffer
