/** The attacks on a listener, each going on until the process is ended: `node attacker.ts '<JSON of a list of Attack>'`. */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { clientHello, endlessRecord } from './handshake.ts'

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
  | 'half of a handshake'
  | 'a handshake byte by byte'
  | 'garbage instead of a handshake'
  | 'a record that never ends'
  | 'handshakes and nothing more'
  | 'renegotiations'

export interface Attack {
  kind: Kind
  port: number
  path: string
  /** Instead of one: 127.x.y.z, each another. */
  manyAddresses?: boolean
  /** Sockets at once, where it is to be others than the attack's own. */
  sockets?: number
  /** The listener speaks TLS: what is sent is sent through it, but for attacks on the handshake itself. */
  secure?: boolean
  /** The address that all come from. */
  from?: string
  /** What `X-Forwarded-For` says; `*`: each time another address. */
  forwardedFor?: string
}

/** What is sent on a connection, and again and again. */
interface Script {
  sockets: number
  /** What is sent comes before any TLS. */
  bare?: true
  open(socket: Socket, head: string): void
  every?: { ms: number; send(socket: Socket): void }
}

const whole = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`
const bytes = (length: number) => 'x'.repeat(length)
const HELLO = await clientHello()

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
  'half of a handshake': { sockets: 4000, bare: true, open: (socket) => socket.write(HELLO) },
  'a handshake byte by byte': {
    sockets: 3000,
    bare: true,
    open: (socket) => socket.write(HELLO.subarray(0, 1)),
    every: { ms: 1000, send: (socket) => socket.write(HELLO.subarray(socket.bytesWritten, socket.bytesWritten + 1)) },
  },
  'garbage instead of a handshake': {
    sockets: 1000,
    bare: true,
    open: (socket) => socket.write(Buffer.alloc(5_000, 'GET / HTTP/1.1\r\n\r\n\u0000\u0016')),
  },
  'a record that never ends': { sockets: 4000, bare: true, open: (socket) => socket.write(endlessRecord) },
  'handshakes and nothing more': { sockets: 20, open: (socket) => socket.destroy() },
  renegotiations: { sockets: 20, open: renegotiate },
}

/** Again and again, for as long as it is let. */
function renegotiate(socket: Socket): void {
  ;(socket as TLSSocket).renegotiate({}, (error) => {
    if (error === null) renegotiate(socket)
    else socket.destroy()
  })
}

/** A connection that is closed is opened again: so many at most each 10 ms. */
const PER_TURN = 40
/** An attack whose connections are closed all the time never has all of them. */
const STANDS_TURNS = 300

/** Where it comes from: the address, and what a proxy would say. */
interface Origin {
  localAddress?: string
  forwardedFor?: string
}

/** Of the `n`th connection. */
function originOf({ manyAddresses = false, from, forwardedFor }: Attack, n: number): Origin {
  const another = (first: number) => `${first}.${1 + (n % 250)}.${1 + (Math.floor(n / 250) % 250)}.9`
  const localAddress = manyAddresses ? another(127) : from
  return {
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(forwardedFor === undefined ? {} : { forwardedFor: forwardedFor === '*' ? another(203) : forwardedFor }),
  }
}

/** Goes on for ever. @param stands told again and again once as many connections are open as are to be */
async function attack(one: Attack, stands: () => void): Promise<never> {
  const { kind, port, path, secure = false, sockets } = one
  const script = SCRIPTS[kind]
  const open = new Set<Socket>()
  let dialled = 0
  const dial = () => {
    const { forwardedFor, ...origin } = originOf(one, dialled++)
    const said = forwardedFor === undefined ? '' : `X-Forwarded-For: ${forwardedFor}\r\n`
    const head = `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n${said}`
    const to = { port, host: '127.0.0.1', ...origin }
    const shaken = secure && script.bare !== true
    // The last version in which a client may ask for another handshake.
    const socket = shaken ? tlsConnect({ ...to, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }) : connect(to)
    open.add(socket)
    socket.on(shaken ? 'secureConnect' : 'connect', () => script.open(socket, head))
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
    if (open.size >= want || turn >= STANDS_TURNS) stands()
    for (let i = 0; i < PER_TURN && open.size < want; i++) dial()
    await pause(10)
  }
}

const attacks = JSON.parse(process.argv[2]!) as Attack[]
const standing = new Set<Attack>()
await Promise.all(
  attacks.map((one) =>
    attack(one, () => {
      if (standing.add(one).size === attacks.length) process.send?.('stands')
    }),
  ),
)
