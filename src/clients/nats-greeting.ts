/**
 * What a NATS server says to whoever connects: the line `INFO`, and with it its version; then, with TLS, its certificate. Nothing is said to it: not
 * who asks, and no credentials. Protocol facts: https://docs.nats.io/reference/reference-protocols/nats-protocol.
 */
import type { X509Certificate } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { connect } from 'node:tls'
import type { Clock } from '../core/clock.ts'
import { bareHost, serverNameOf } from './server-name.ts'

/** How long each server is given; also a silent one ends by then. */
export interface Patience {
  clock: Clock
  timeoutMs: number
}

const LONGEST_INFO = 65_536

/**
 * From the first of the servers that shows one.
 * @param servers as `nats://host:port`
 * @returns null when none shows any
 */
export async function shownCertificate(servers: string[], patience: Patience): Promise<X509Certificate | null> {
  const shown = servers.map((server) => greeted(server, patience, (_, socket, host) => certificateOf(socket, host)))
  return await Promise.any(shown).catch(() => null)
}

/** The versions of those that answer in time. @param servers as `host:port`, or with a scheme */
export async function versionsOf(servers: string[], patience: Patience): Promise<string[]> {
  const versions = servers.map((server) =>
    greeted(server, patience, async (info) => {
      const { version } = JSON.parse(info.replace(/^INFO /, '')) as { version?: unknown }
      return String(version)
    }),
  )
  return (await Promise.allSettled(versions)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
}

/** @param then what comes next; the connection ends with it. Rejects with what it failed of, or `no answer`, or `closed` */
async function greeted<T>(
  server: string,
  { clock, timeoutMs }: Patience,
  then: (info: string, socket: Socket, host: string) => Promise<T>,
): Promise<T> {
  const { hostname, port } = new URL(server.includes('://') ? server : `nats://${server}`)
  const host = bareHost(hostname)
  const socket = createConnection({ host, port: Number(port || 4222) })
  return await new Promise<T>((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => socket.destroy(new Error('no answer')))
    socket.on('error', reject).on('close', () => {
      cancel()
      reject(new Error('closed'))
    })
    let said = ''
    socket.on('data', function hear(chunk) {
      said += chunk.toString()
      if (said.length > LONGEST_INFO) socket.destroy()
      if (!said.includes('\n')) return
      socket.off('data', hear)
      then(said.slice(0, said.indexOf('\n')), socket, host).then(resolve, reject)
    })
  }).finally(() => socket.destroy())
}

function certificateOf(socket: Socket, host: string): Promise<X509Certificate> {
  const servername = serverNameOf(host)
  return new Promise((resolve, reject) => {
    const named = servername === undefined ? {} : { servername }
    const secure = connect({ socket, ...named, rejectUnauthorized: false })
    secure.on('error', reject).once('secureConnect', () => {
      const shown = secure.getPeerX509Certificate()
      if (shown === undefined) reject(new Error('no certificate'))
      else resolve(shown)
    })
  })
}
