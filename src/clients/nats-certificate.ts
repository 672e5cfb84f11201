/** The certificate that a NATS server shows. Nothing is said to it: not who asks, and no credentials. */
import type { X509Certificate } from 'node:crypto'
import { createConnection } from 'node:net'
import { connect } from 'node:tls'
import { serverNameOf } from './server-name.ts'

const LONGEST_INFO = 65_536

/**
 * From the first of the servers that shows one. Its line `INFO` comes first, then TLS on the same connection.
 * @param servers as `nats://host:port`
 * @param timeoutMs for each of them; also a silent one ends by then
 * @returns null when none shows any
 */
export async function shownCertificate(servers: string[], timeoutMs: number): Promise<X509Certificate | null> {
  return await Promise.any(servers.map((server) => shownBy(server, timeoutMs))).catch(() => null)
}

function shownBy(server: string, timeoutMs: number): Promise<X509Certificate> {
  const { hostname, port } = new URL(server.includes('://') ? server : `nats://${server}`)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: Number(port || 4222) })
    const deadline = setTimeout(() => socket.destroy(new Error('no answer')), timeoutMs)
    socket.on('error', reject).on('close', () => {
      clearTimeout(deadline)
      reject(new Error('closed'))
    })
    let greeting = ''
    socket.on('data', function greeted(chunk) {
      greeting += chunk.toString('latin1')
      if (greeting.length > LONGEST_INFO) socket.destroy()
      if (!greeting.includes('\n')) return
      socket.off('data', greeted)
      const servername = serverNameOf(host)
      const secure = connect({ socket, ...(servername === undefined ? {} : { servername }), rejectUnauthorized: false })
      secure.on('error', reject).once('secureConnect', () => {
        const shown = secure.getPeerX509Certificate()
        socket.destroy()
        if (shown === undefined) reject(new Error('no certificate'))
        else resolve(shown)
      })
    })
  })
}
