/** In which form the certificates of a native bus are. */
import { X509Certificate } from 'node:crypto'
import type { KubeObject } from '../../kube/resources.ts'

/**
 * `one name`: Argo Events' own: authority and leaf have one subject and no key identifiers, so that OpenSSL takes the leaf for signed by itself.
 * `plain`: any TLS client verifies it. `unseen`: the Secret may not be read.
 */
export type CertificateForm = 'one name' | 'plain' | 'missing' | 'unreadable' | 'unseen'

/** @param secret of the servers, `eventbus-<name>-js-server` */
export function formOf(secret: KubeObject | null): CertificateForm {
  if (secret === null) return 'missing'
  const data = (secret.data ?? {}) as Record<string, string>
  const text = (key: string) => Buffer.from(data[key] ?? '', 'base64')
  try {
    const [leaf, ca] = [new X509Certificate(text('cert')), new X509Certificate(text('ca-cert'))]
    return leaf.subject === leaf.issuer && leaf.fingerprint256 !== ca.fingerprint256 ? 'one name' : 'plain'
  } catch {
    return 'unreadable'
  }
}
