/** Certificates of authorities that the author of an EventSource adds for its origins, by SSL_CERT_FILE, SSL_CERT_DIR or NODE_EXTRA_CA_CERTS. */
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { messageOf } from '../core/errors.ts'

/**
 * They count beside the usual ones, where a connection has none of its own named: an entry's `tls.caCertSecret`, the bus's and the API server's stay alone.
 * @param paths files of PEM, or directories of them
 * @returns what could not be read, for the log
 */
export async function addAuthorities(paths: readonly string[]): Promise<string[]> {
  const trouble: string[] = []
  const added: string[] = []
  for (const path of paths) {
    try {
      const found = (await textsIn(path)).flatMap(certificatesIn)
      if (found.length === 0) trouble.push(`${path}: there is no certificate in it`)
      added.push(...found)
    } catch (error) {
      trouble.push(`${path}: ${messageOf(error)}`)
    }
  }
  if (added.length > 0) setDefaultCACertificates([...getCACertificates('default'), ...added])
  return trouble
}

async function textsIn(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [await readFile(path, 'utf8')]
  const names = (await readdir(path)).filter((name) => !name.startsWith('.')).sort()
  const read = await Promise.allSettled(names.map((name) => readFile(join(path, name), 'utf8')))
  return read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

/** Those of a text that are one: a single broken one would make all of them count for nothing. */
function certificatesIn(text: string): string[] {
  const found = text.match(/-----BEGIN (TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (TRUSTED )?CERTIFICATE-----/g) ?? []
  return found.filter((pem) => {
    try {
      return new X509Certificate(pem).raw.length > 0
    } catch {
      return false
    }
  })
}
