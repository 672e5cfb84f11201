/** The holder's side of peer links: proves who it is and tells its standbys when the Lease changes. It takes nothing from them. */
import { randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { PeerAddress } from '../locks/kubernetes-lease.ts'
import { onWords, proofOf, proves } from './peer-wire.ts'

export interface PeerListener {
  /** Null when no port could be had: then the others go by the Lease alone. */
  readonly address: PeerAddress | null
  /** Tells every standby that the Lease has changed. */
  tell(): void
  close(): void
}

/** More than any EventSource has replicas; strangers cannot take more of this process than that. */
const MOST_LINKS = 64
const HANDSHAKE_MS = 2_000
/** The port to allow in a NetworkPolicy between the Pods of an EventSource. */
export const PEER_PORT = 7787

/**
 * @param host an address of this process that the other replicas can reach: the Pod's IP
 * @param port used unless it is taken; then any free one
 */
export async function listenForPeers({
  host,
  port = PEER_PORT,
  lease,
  clock,
  log,
}: {
  host: string
  port?: number
  /** `<namespace>/<lease name>` */
  lease: string
  clock: Clock
  log: Logger
}): Promise<PeerListener> {
  const key = randomBytes(16).toString('hex')
  const open = new Set<Socket>()
  const standbys = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket)
    const cancel = clock.after(HANDSHAKE_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      cancel()
      open.delete(socket)
      standbys.delete(socket)
    })
    const nonce = randomBytes(16).toString('hex')
    onWords(socket, ([word, ...rest]) => {
      if (standbys.has(socket)) {
        if (word === 'ping') socket.write('pong\n')
        return
      }
      const [theirs = '', proof] = rest
      if (word !== 'standby' || !proves(proof, proofOf(key, 'standby', lease, [nonce, theirs]))) {
        socket.destroy()
        return
      }
      cancel()
      standbys.add(socket)
      socket.write(`holder ${proofOf(key, 'holder', lease, [nonce, theirs])}\n`)
    })
    socket.write(`hello ${nonce}\n`)
  })
  server.maxConnections = MOST_LINKS

  const listen = (on: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port: on }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  let address: PeerAddress | null = null
  try {
    await listen(port).catch((error) => {
      if ((error as { code?: string }).code !== 'EADDRINUSE') throw error
      return listen(0)
    })
    address = { host, port: (server.address() as { port: number }).port, key }
  } catch (error) {
    log.warn(`no peer link: cannot listen on ${host}: ${messageOf(error)}; standbys wait for the Lease to run out`, {})
  }
  server.on('error', (error) => log.warn('peer link', { error }))
  return {
    address,
    tell() {
      for (const socket of standbys) socket.write('changed\n')
    },
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}
