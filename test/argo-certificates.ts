/**
 * Certificates in the form of Argo Events' native buses (shared/tls/tls.go there): RSA, ten years, and one subject for the authority and for what it
 * has signed, without key identifiers.
 */
import { makeCertificate } from '../src/controller/x509.ts'

const YEARS_10 = 10 * 365.25 * 86_400_000
const subject = { organization: 'io.argoproj' }

export interface ArgoChain {
  ca: string
  cert: string
  key: string
}

export interface ArgoChainOptions {
  names?: string[]
  /** Milliseconds from now on, of the certificate and of its authority. */
  lifeMs?: number
  authorityLifeMs?: number
}

export function argoChain({
  names = ['127.0.0.1'],
  lifeMs = YEARS_10,
  authorityLifeMs = YEARS_10,
}: ArgoChainOptions = {}): ArgoChain {
  const notBefore = Date.now() - 172_800_000
  const until = (life: number) => ({ notBefore, notAfter: Date.now() + life })
  const authority = makeCertificate({ ...subject, keyKind: 'rsa', authority: true, ...until(authorityLifeMs) })
  const issuer = { ...subject, key: authority.key }
  const made = makeCertificate({ ...subject, keyKind: 'rsa', names, usages: ['server'], issuer, ...until(lifeMs) })
  return { ...made, ca: authority.cert }
}
