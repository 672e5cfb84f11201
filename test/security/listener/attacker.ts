/** The attacks on a listener, each going on until the process is ended: `node attacker.ts '<JSON of Attack>'`. */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

export type Kind =
  | 'a byte of body'
  | 'nearly whole bodies'
  | 'pipelining'
  | 'idle connections'
  | 'slow heads'
  | 'large heads'
  | 'slow bodies'
  | 'tiny chunks'
  | 'answers that nobody reads'
  | 'bodies that never follow'
  | 'upgrades'
  | 'silence'
  | 'requests at work'
  | 'whole bodies at work'
  | 'forged signatures'

export interface Attack {
  kind: Kind
  port: number
  path: string
  /** Instead of one: 127.x.y.z, each another. */
  manyAddresses?: boolean
  /** Sockets at once, where it is to be others than the attack's own. */
  sockets?: number
}

/** What is sent on a connection, and again and again. */
interface Script {
  sockets: number
  open(socket: Socket, head: string): void
  every?: { ms: number; send(socket: Socket): void }
}

const whole = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`
const bytes = (length: number) => 'x'.repeat(length)

const SCRIPTS: Record<Kind, Script> = {
  'a byte of body': { sockets: 2300, open: (socket, head) => socket.write(`${head}Content-Length: 1000\r\n\r\n{`) },
  'nearly whole bodies': {
    sockets: 140,
    open: (socket, head) => socket.write(`${head}Content-Length: 1048576\r\n\r\n${bytes(1_048_500)}`),
  },
  pipelining: { sockets: 4, open: (socket, head) => socket.write(`${head}${whole('{}')}`.repeat(10_000)) },
  'idle connections': { sockets: 7000, open: (socket, head) => socket.write(`${head}${whole('{}')}`) },
  'slow heads': {
    sockets: 3000,
    open: (socket, head) => socket.write(head),
    every: { ms: 1000, send: (socket) => socket.write('X-A: b\r\n') },
  },
  'large heads': { sockets: 4000, open: (socket, head) => socket.write(`${head}X-A: ${bytes(60_000)}`) },
  'slow bodies': {
    sockets: 1500,
    open: (socket, head) => socket.write(`${head}Content-Length: 100000\r\n\r\n${bytes(4000)}`),
    every: { ms: 1000, send: (socket) => socket.write(bytes(300)) },
  },
  'tiny chunks': {
    sockets: 10,
    open: (socket, head) => socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(100_000)}`),
  },
  'answers that nobody reads': {
    sockets: 50,
    open(socket, head) {
      socket.pause()
      for (let i = 0; i < 20; i++) socket.write(`${head}${whole('{}')}`.repeat(500))
    },
  },
  'bodies that never follow': {
    sockets: 2300,
    open: (socket, head) => socket.write(`${head}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n`),
  },
  upgrades: {
    sockets: 1000,
    open: (socket, head) =>
      socket.write(
        `${head}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 9\r\n\r\n`,
      ),
  },
  silence: { sockets: 7000, open: () => {} },
  'requests at work': { sockets: 1500, open: (socket, head) => socket.write(`${head}${whole('{}')}`) },
  'whole bodies at work': {
    sockets: 200,
    open: (socket, head) => socket.write(`${head}${whole(JSON.stringify(bytes(1_000_000)))}`),
  },
  'forged signatures': {
    sockets: 200,
    open: (socket, head) => socket.write(`${head}X-Hub-Signature-256: sha256=${'ab'.repeat(32)}\r\n${whole('{}')}`),
    every: { ms: 20, send: () => {} },
  },
}

/** A connection that is closed is opened again: so many at most each 10 ms. */
const PER_TURN = 40
/** An attack whose connections are closed all the time never has all of them. */
const STANDS_TURNS = 300

export async function attack({ kind, port, path, manyAddresses = false, sockets }: Attack): Promise<never> {
  const script = SCRIPTS[kind]
  const head = `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n`
  const open = new Set<Socket>()
  let dialled = 0
  const dial = () => {
    const n = dialled++
    const localAddress = manyAddresses ? `127.${1 + (n % 250)}.${1 + (Math.floor(n / 250) % 250)}.9` : undefined
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress === undefined ? {} : { localAddress }) })
    open.add(socket)
    socket.on('connect', () => script.open(socket, head))
    socket.on('data', () => {})
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
  }
  if (script.every !== undefined) {
    const { ms, send } = script.every
    setInterval(() => {
      for (const socket of open) if (socket.writable && !socket.connecting) send(socket)
    }, ms)
  }
  const want = sockets ?? script.sockets
  for (let turn = 0; ; turn++) {
    // It stands: from now on only what is closed is opened again.
    if (open.size >= want || turn >= STANDS_TURNS) process.send?.('stands')
    for (let i = 0; i < PER_TURN && open.size < want; i++) dial()
    await pause(10)
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await attack(JSON.parse(process.argv[2]!) as Attack)
