/** A hostile server of every protocol: whatever it is sent it sends back, as an HTTP error, or as it came. */
import { createServer, type Socket } from 'node:net'

export interface Echo {
  port: number
  connections(): number
  close(): void
}

const QUIET_MS = 50

export async function echoServer(): Promise<Echo> {
  let connections = 0
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    connections++
    open.add(socket)
    const heard: Buffer[] = []
    let timer: NodeJS.Timeout | undefined
    socket.on('close', () => {
      clearTimeout(timer)
      open.delete(socket)
    })
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      heard.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(() => answer(socket, Buffer.concat(heard)), QUIET_MS)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    connections: () => connections,
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

function answer(socket: Socket, heard: Buffer): void {
  const text = heard.toString('latin1')
  if (!/^[A-Z]+ \S+ HTTP\/1\./.test(text)) return void socket.end(heard)
  const body = JSON.stringify({ message: text, error: text, errors: [{ message: text }] })
  socket.end(
    `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
