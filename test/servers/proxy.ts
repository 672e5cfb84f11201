/** A TCP proxy that misbehaves on demand, one per connection pair under test. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Faults {
  /** Milliseconds added to each chunk, in each direction. */
  delayMs: number
  /** Bytes per second in each direction; 0: unlimited. */
  bytesPerSecond: number
  /** Nothing passes in this direction; the connection stays open (half-open, black hole). */
  dropToServer: boolean
  dropToClient: boolean
  /** New connections are refused (accepted and reset at once). */
  refuse: boolean
}

export interface Proxy {
  readonly port: number
  /** Change while it runs. */
  readonly faults: Faults
  /** Resets every connection there is. */
  cut(): void
  connections(): number
  close(): Promise<void>
}

/** Listens on a free loopback port and forwards to `target` (a loopback port). */
export async function startProxy(target: number, initial: Partial<Faults> = {}): Promise<Proxy> {
  const faults: Faults = {
    delayMs: 0,
    bytesPerSecond: 0,
    dropToServer: false,
    dropToClient: false,
    refuse: false,
    ...initial,
  }
  const open = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    if (faults.refuse) return client.resetAndDestroy()
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    }
    const abandon = () => {
      client.destroy()
      upstream.destroy()
    }
    client.on('error', abandon)
    upstream.on('error', abandon)
    forward(client, upstream, () => faults.dropToServer, faults)
    forward(upstream, client, () => faults.dropToClient, faults)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    faults,
    cut,
    connections: () => open.size / 2,
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Chunks keep their order: each waits for the one before it. */
function forward(from: Socket, to: Socket, dropped: () => boolean, faults: Faults): void {
  let last = Promise.resolve()
  const after = (work: () => void, bytes: number) => {
    const dueMs = performance.now() + faults.delayMs
    last = last.then(async () => {
      const paceMs = faults.bytesPerSecond > 0 ? (bytes / faults.bytesPerSecond) * 1000 : 0
      const waitMs = Math.max(dueMs - performance.now(), paceMs)
      if (waitMs > 0.5) await new Promise((resolve) => setTimeout(resolve, waitMs))
      work()
    })
  }
  from.on('data', (chunk) => {
    if (dropped()) return
    if (faults.bytesPerSecond > 0) from.pause()
    after(() => {
      from.resume()
      if (to.writable) to.write(chunk)
    }, chunk.length)
  })
  from.on('end', () => after(() => to.writable && to.end(), 0))
}
