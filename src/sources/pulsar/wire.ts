/** One connection to a Pulsar broker or proxy (https://pulsar.apache.org/docs/develop-binary-protocol/). */
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { serverNameOf } from '../../clients/server-name.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, type VedetteError } from '../../core/errors.ts'
import { networkError } from '../connections/network-error.ts'
import { type Codec, type CommandName, type Commands, loadCodec } from './commands.ts'
import { type Chunk, type Entry, frameReader, readEntry } from './entry.ts'
import { type Host, hostPort } from './spec.ts'

export interface Login {
  method: string
  data: string
  /** The same for the REST API. */
  headers: Readonly<Record<string, string>>
}

/** As `node:tls` takes it. */
export interface Encryption {
  rejectUnauthorized: boolean
  ca?: string
  cert?: string
  key?: string
  /** The certificate must be for the host. */
  validateHostname: boolean
}

export interface BrokerConnection {
  /** `host:port`. */
  readonly address: string
  readonly alive: boolean
  /** Rejects when the connection is lost, or a consumer is closed by the broker, with what is wrong. */
  readonly lost: Promise<never>
  /** @throws ORIGIN_UNAVAILABLE when the broker does not tell */
  lookUp(topic: string, authoritative: boolean): Promise<Commands['lookupAnswer']>
  /** 0: the topic has none. @throws ORIGIN_UNAVAILABLE when the broker does not tell */
  partitions(topic: string): Promise<number>
  /** @throws ORIGIN_UNAVAILABLE with the broker's error */
  subscribe(wanted: Wanted, onEntry: (entry: Entry | Chunk) => void): Promise<void>
  /** Ends the subscription of a consumer, for everybody. @throws ORIGIN_UNAVAILABLE with the broker's error */
  unsubscribe(consumerId: number): Promise<void>
  send<Name extends CommandName>(name: Name, body: Commands[Name]): void
  /** Reads nothing while it is held: the broker then waits. */
  hold(held: boolean): void
  /** Ends the connection when all that was written has left. */
  close(): void
}

export type Wanted = Omit<Commands['subscribe'], 'requestId'>

export interface DialOptions {
  host: Host
  /** A proxy is to speak for this broker. */
  proxyTo?: Host | undefined
  encryption: Encryption | null
  login: Login | null
  clock: Clock
  signal: AbortSignal
}

const ANSWER_TIMEOUT_MS = 10_000
export const PING_MS = 5_000
/** A broker that says nothing for so long, though it is asked, counts as gone. */
export const SILENCE_MS = 4 * PING_MS
/** Of the protocol: the newest that this client knows the rules of. */
const PROTOCOL = 19

const CONNECT = 'connect'

/** @throws ORIGIN_UNAVAILABLE: what is wrong, and in which layer */
export async function dialBroker(options: DialOptions): Promise<BrokerConnection> {
  const { host, proxyTo, encryption, login, clock, signal } = options
  const address = hostPort(host)
  const codec = await loadCodec()
  signal.throwIfAborted()
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  const questions = new Map<string, PromiseWithResolvers<unknown>>()
  const consumers = new Map<string, (entry: Entry | Chunk) => void>()
  let alive = true
  let requests = 0
  let heardMs = clock.monotonic()
  let cancelPing = () => {}
  const socket = encryption === null ? connectTcp({ ...host, noDelay: true }) : encrypted(host, encryption)

  const end = (error: unknown): void => {
    if (!alive) return
    alive = false
    cancelPing()
    const reason = networkError(error, address)
    for (const question of questions.values()) question.reject(reason)
    questions.clear()
    loss.reject(reason)
    socket.destroy()
  }
  const send: BrokerConnection['send'] = (name, body) => {
    if (alive) socket.write(framed(codec, name, body))
  }
  const answer = (id: string): PromiseWithResolvers<unknown> | undefined => {
    const question = questions.get(id)
    questions.delete(id)
    return question
  }
  /** Waits for the answer to a question that `write` sends. */
  const ask = async <Answer>(id: string, write: () => void): Promise<Answer> => {
    if (!alive) throw fail('ORIGIN_UNAVAILABLE', `${address}: the connection is closed`)
    const question = Promise.withResolvers<unknown>()
    questions.set(id, question)
    const late = () => end(new Error(`ETIMEDOUT: no answer within ${ANSWER_TIMEOUT_MS} ms`))
    const cancel = clock.after(ANSWER_TIMEOUT_MS, late)
    write()
    try {
      return (await question.promise) as Answer
    } finally {
      cancel()
    }
  }
  const request = <Answer>(write: (requestId: number) => void): Promise<Answer> => {
    const requestId = requests++
    return ask(String(requestId), () => write(requestId))
  }
  const feed = frameReader(codec, ({ command, rest }) => {
    switch (command.name) {
      case 'connected':
        return answer(CONNECT)?.resolve(command.body)
      case 'success':
      case 'lookupAnswer':
      case 'partitionsAnswer':
        return answer(String(command.body.requestId))?.resolve(command.body)
      case 'error': {
        const { requestId, error, message } = command.body
        const refused = refusal(error, message, address)
        // Before it is connected there is no request to name.
        return (answer(String(requestId)) ?? answer(CONNECT))?.reject(refused)
      }
      case 'message': {
        const { messageId, ackSet, consumerId } = command.body
        if (messageId == null) throw new Error('a message without an id: this is not the protocol of Pulsar')
        const entry = readEntry(codec, { messageId, ...(ackSet === undefined ? {} : { ackSet }) }, rest)
        return consumers.get(String(consumerId))?.(entry)
      }
      case 'closeConsumer':
        return end(fail('ORIGIN_UNAVAILABLE', `${address}: the broker gives the topic to another one`))
      case 'ping':
        return send('pong', {})
    }
  })
  const pinging = (): void => {
    cancelPing = clock.after(PING_MS, () => {
      if (socket.isPaused()) heardMs = clock.monotonic()
      if (clock.monotonic() - heardMs > SILENCE_MS)
        return end(fail('ORIGIN_UNAVAILABLE', `${address}: connected but silent: no answer to pings`))
      send('ping', {})
      pinging()
    })
  }
  socket.on('data', (chunk: Buffer) => {
    heardMs = clock.monotonic()
    try {
      feed(chunk)
    } catch (error) {
      end(error)
    }
  })
  socket.on('error', end)
  socket.on('close', () => end(fail('ORIGIN_UNAVAILABLE', `TCP: ${address}: the broker has closed the connection`)))
  const stop = () => end(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    await ask(CONNECT, () =>
      send('connect', {
        clientVersion: 'vedette',
        protocol: PROTOCOL,
        ...(login === null ? {} : { authMethod: login.method, authData: Buffer.from(login.data) }),
        ...(proxyTo === undefined ? {} : { proxyTo: hostPort(proxyTo) }),
      }),
    )
  } catch (error) {
    end(error)
    signal.throwIfAborted()
    throw networkError(error, address)
  } finally {
    // From here on who has the connection decides when it ends.
    signal.removeEventListener('abort', stop)
  }
  pinging()
  return {
    address,
    get alive() {
      return alive
    },
    lost: loss.promise,
    async lookUp(topic, authoritative) {
      const found = await request<Commands['lookupAnswer']>((requestId) =>
        send('lookup', { topic, requestId, authoritative }),
      )
      if (found.response === 2) throw refusal(found.error, found.message, address)
      return found
    },
    async partitions(topic) {
      const found = await request<Commands['partitionsAnswer']>((requestId) => send('partitions', { topic, requestId }))
      if (found.response === 1) throw refusal(found.error, found.message, address)
      return found.partitions ?? 0
    },
    async subscribe(wanted, onEntry) {
      consumers.set(String(wanted.consumerId), onEntry)
      await request((requestId) => send('subscribe', { ...wanted, requestId }))
    },
    async unsubscribe(consumerId) {
      await request((requestId) => send('unsubscribe', { consumerId, requestId }))
    },
    send,
    hold(held) {
      if (held) socket.pause()
      else socket.resume()
    },
    close() {
      if (!alive) return
      alive = false
      cancelPing()
      socket.end()
    },
  }
}

function encrypted({ host, port }: Host, { validateHostname, ...material }: Encryption) {
  return connectTls({
    host,
    port,
    servername: serverNameOf(host) ?? '',
    ...(validateHostname ? {} : { checkServerIdentity: () => undefined }),
    ...material,
  })
}

/** Size of all, size of the command, the command. */
function framed<Name extends CommandName>(codec: Codec, name: Name, body: Commands[Name]): Buffer {
  const command = codec.encode(name, body)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(command.length + 4, 0)
  head.writeUInt32BE(command.length, 4)
  return Buffer.concat([head, command])
}

/** By the protocol's numbers of errors. */
const LAYERS: Readonly<Record<number, string>> = {
  3: 'authentication: ',
  4: 'authorization: ',
  5: 'another consumer has the subscription: ',
  11: 'the topic does not exist: ',
}

function refusal(error = 0, message = '', address: string): VedetteError {
  // A broker may add its stack.
  const [said] = message.split('\n')
  const text = `${LAYERS[error] ?? ''}${address}: the broker refuses: ${said || `error ${error}`}`
  return fail('ORIGIN_UNAVAILABLE', text, { refused: error })
}
