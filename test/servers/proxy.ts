/** A TCP proxy that misbehaves on demand: towards everybody, or towards those clients only that say who they are. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Faults {
  /** Milliseconds added to each chunk, in each direction. */
  delayMs: number
  /** Bytes per second in each direction; 0: unlimited. */
  bytesPerSecond: number
  /** Nothing passes in this direction, not even the end; the connection stays open (half-open, black hole). */
  dropToServer: boolean
  dropToClient: boolean
  /** What goes in this direction waits here, and goes on when this is over. */
  holdToServer: boolean
  holdToClient: boolean
  /** New connections are reset, as soon as it is known who wants one. */
  refuse: boolean
}

export interface TcpProxy {
  readonly port: number
  /** Of every client that has none of its own. Change while it runs. */
  readonly faults: Faults
  /**
   * Of the clients whose first words contain `mark` (NATS: `"name":"…"`), those there are and those to come. Until a client has said
   * them it has those of everybody. Change while it runs.
   */
  faultsOf(mark: string): Faults
  /** Resets every connection there is, or those of the clients that `mark` is of. */
  cut(mark?: string): void
  /** How many there are, of all or of those clients. */
  connections(mark?: string): number
  close(): Promise<void>
}

interface Pair {
  client: Socket
  upstream: Socket
  /** The first words of the client. */
  said: string
}

const NONE: Readonly<Faults> = {
  delayMs: 0,
  bytesPerSecond: 0,
  dropToServer: false,
  dropToClient: false,
  holdToServer: false,
  holdToClient: false,
  refuse: false,
}
/** Who a client is, stands within so many bytes. */
const FIRST_WORDS = 2_048
const HELD_LOOK_MS = 5

/** Listens on a free loopback port and forwards to `target` (a loopback port). */
export async function startProxy(target: number, initial: Partial<Faults> = {}): Promise<TcpProxy> {
  const faults: Faults = { ...NONE, ...initial }
  const named = new Map<string, Faults>()
  const open = new Set<Pair>()

  const faultsNow = ({ said }: Pair): Faults => {
    for (const [mark, own] of named) if (said.includes(mark)) return own
    return faults
  }
  const reset = ({ client, upstream }: Pair) => {
    for (const socket of [client, upstream]) {
      // A connection that is being ended cannot be reset any more: Node 26 then waits at its exit, for ever, for what it has begun.
      if (socket.connecting || socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
  }
  const withMark = (mark = '') => [...open].filter(({ said }) => said.includes(mark))

  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    if (faults.refuse) return client.resetAndDestroy()
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    const pair: Pair = { client, upstream, said: '' }
    open.add(pair)
    const closed = () => {
      if (client.destroyed && upstream.destroyed) open.delete(pair)
    }
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      socket.on('close', closed)
    }
    client.on('error', () => faultsNow(pair).dropToServer || upstream.destroy())
    upstream.on('error', () => faultsNow(pair).dropToClient || client.destroy())
    client.on('data', (chunk) => {
      if (pair.said.length >= FIRST_WORDS) return
      pair.said = (pair.said + chunk.toString('latin1')).slice(0, FIRST_WORDS)
      if (faultsNow(pair).refuse) reset(pair)
    })
    forward(client, upstream, () => {
      const { dropToServer: dropped, holdToServer: held, ...rest } = faultsNow(pair)
      return { ...rest, dropped, held }
    })
    forward(upstream, client, () => {
      const { dropToClient: dropped, holdToClient: held, ...rest } = faultsNow(pair)
      return { ...rest, dropped, held }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    faults,
    faultsOf(mark) {
      const own = named.get(mark) ?? { ...NONE }
      named.set(mark, own)
      return own
    },
    cut: (mark) => withMark(mark).forEach(reset),
    connections: (mark) => withMark(mark).length,
    async close() {
      withMark().forEach(reset)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The faults of one direction, as they are now. */
type Lane = () => { delayMs: number; bytesPerSecond: number; dropped: boolean; held: boolean }

/** Chunks keep their order: each waits for the one before it. */
function forward(from: Socket, to: Socket, lane: Lane): void {
  let last = Promise.resolve()
  const after = (work: () => void, bytes: number) => {
    const dueMs = performance.now() + lane().delayMs
    last = last.then(async () => {
      const { bytesPerSecond } = lane()
      const paceMs = bytesPerSecond > 0 ? (bytes / bytesPerSecond) * 1000 : 0
      const waitMs = Math.max(dueMs - performance.now(), paceMs)
      if (waitMs > 0.5) await sleep(waitMs)
      while (lane().held && !to.destroyed) await sleep(HELD_LOOK_MS)
      work()
    })
  }
  from.on('data', (chunk) => {
    const { dropped, bytesPerSecond } = lane()
    if (dropped) return
    if (bytesPerSecond > 0) from.pause()
    after(() => {
      from.resume()
      if (to.writable) to.write(chunk)
    }, chunk.length)
  })
  from.on('end', () => lane().dropped || after(() => to.writable && to.end(), 0))
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
