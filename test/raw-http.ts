/** HTTP spoken byte by byte over a socket, for what a well-behaved client would never send. */
import { once } from 'node:events'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export interface Reply {
  status: number
  /** Lower-case names; repeated ones joined by `, `. */
  headers: Record<string, string>
  body: string
}

export interface RawConnection {
  socket: Socket
  send(bytes: string | Buffer): void
  /** The next answer (interim 100s included). Rejects when the connection closes or `timeoutMs` pass without one. */
  reply(timeoutMs?: number): Promise<Reply>
  /** Resolves with everything not read as a reply once the server has closed. */
  closed(timeoutMs?: number): Promise<string>
  end(): void
}

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

export async function rawConnect(port: number, tls?: ConnectionOptions): Promise<RawConnection> {
  const socket = tls ? connectTls({ port, host: '127.0.0.1', ...tls }) : connectTcp(port, '127.0.0.1')
  let received = Buffer.alloc(0)
  let ended = false
  const watchers = new Set<() => void>()
  const changed = () => {
    for (const watcher of [...watchers]) watcher()
  }
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    changed()
  })
  socket.on('error', () => {})
  const finish = () => {
    ended = true
    changed()
  }
  socket.on('end', finish).on('close', finish)
  await once(socket, tls ? 'secureConnect' : 'connect')

  const until = <T>(look: () => T | undefined, what: string, timeoutMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        watchers.delete(check)
        reject(new Error(`no ${what} within ${timeoutMs} ms; received ${JSON.stringify(received.toString('latin1'))}`))
      }, timeoutMs)
      const check = () => {
        const found = look()
        if (found === undefined && !ended) return
        clearTimeout(timer)
        watchers.delete(check)
        if (found !== undefined) resolve(found)
        else reject(new Error(`closed without ${what}; received ${JSON.stringify(received.toString('latin1'))}`))
      }
      watchers.add(check)
      check()
    })

  const takeReply = (): Reply | undefined => {
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const [line = '', ...fields] = received.toString('latin1', 0, end).split('\r\n')
    const headers: Record<string, string> = {}
    for (const field of fields) {
      const colon = field.indexOf(':')
      const name = field.slice(0, colon).toLowerCase()
      const value = field.slice(colon + 1).trim()
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
    }
    const length = Number(headers['content-length'] ?? 0)
    if (received.length < end + 4 + length) return undefined
    const body = received.toString('utf8', end + 4, end + 4 + length)
    received = received.subarray(end + 4 + length)
    return { status: Number(line.split(' ')[1]), headers, body }
  }

  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    reply: (timeoutMs = 5000) => until(takeReply, 'answer', timeoutMs),
    closed: (timeoutMs = 5000) =>
      until(() => (ended ? received.toString('latin1') : undefined), 'end of connection', timeoutMs),
    end: () => socket.destroy(),
  }
}

/** One request on a connection of its own; `body` gets a Content-Length. */
export async function rawRequest(
  port: number,
  head: string,
  body?: string | Buffer,
  tls?: ConnectionOptions,
): Promise<Reply> {
  const connection = await rawConnect(port, tls)
  try {
    const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
    connection.send(`${head.replaceAll('\n', '\r\n')}\r\nHost: h\r\n${length}\r\n`)
    if (body !== undefined) connection.send(Buffer.from(body))
    return await connection.reply()
  } finally {
    connection.end()
  }
}
