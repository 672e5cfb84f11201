/**
 * How TLS clients name the server. An IP address is no name (RFC 6066, section 3), and Node refuses one; the certificate is then checked for the
 * address (subjectAltName iPAddress).
 */
import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, type PeerCertificate } from 'node:tls'

/** Without the brackets of a URL. */
export const bareHost = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

/** What to send as server name (SNI), as `node:tls` takes it; undefined for an address. */
export function serverNameOf(host: string): string | undefined {
  const bare = bareHost(host)
  return bare === '' || isIP(bare) !== 0 ? undefined : bare
}

/** Options for a server whose certificate is for `name`, whatever it is reached by. */
export function certifiedFor(name: string): Pick<ConnectionOptions, 'servername' | 'checkServerIdentity'> {
  const servername = serverNameOf(name)
  if (servername !== undefined) return { servername }
  return { checkServerIdentity: (_, certificate) => checkServerIdentity(bareHost(name), certificate) }
}

/**
 * For a library that puts TLS on a connected socket and names no host when it is an address: Node then checks the certificate for
 * `localhost`. Node calls it with the options of the connection as `this`.
 */
export function checkConnectedServer(this: unknown, name: string, certificate: PeerCertificate): Error | undefined {
  const { servername, host, socket } = (this ?? {}) as ConnectionOptions & { socket?: Partial<Socket> }
  const address = servername || host ? undefined : socket?.remoteAddress
  return checkServerIdentity(address ?? name, certificate)
}
