/** JSON Web Tokens (RFC 7519), signed with an RSA key: RS256, or PS256 (RFC 7518, sections 3.3 and 3.5). */
import { constants, type KeyObject, sign } from 'node:crypto'

const ALGORITHMS = {
  RS256: {},
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
}

/** @param header further members of it */
export function jsonWebToken(
  alg: keyof typeof ALGORITHMS,
  { header = {}, claims, key }: { header?: object; claims: object; key: KeyObject },
): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, ...ALGORITHMS[alg] }).toString('base64url')}`
}
