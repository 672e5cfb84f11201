/** TLS in front of a server that has none: what came in is passed on as it is. */
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { createServer } from 'node:tls'

export interface TlsFront {
  readonly port: number
  /** Server names that clients have sent; `null`: none. */
  readonly names: (string | null)[]
  close(): void
}

/** @param host where it listens, an address of loopback */
export async function startTlsFront(
  port: number,
  { cert, key, host = '127.0.0.1' }: { cert: string; key: string; host?: string },
): Promise<TlsFront> {
  const names: (string | null)[] = []
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer({ cert, key }, (socket) => {
    names.push(typeof socket.servername === 'string' ? socket.servername : null)
    const behind = connect(port, '127.0.0.1')
    for (const one of [socket, behind]) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        socket.destroy()
        behind.destroy()
      })
    }
    socket.pipe(behind)
    behind.pipe(socket)
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    names,
    close() {
      for (const one of sockets) one.destroy()
      server.close()
    },
  }
}
