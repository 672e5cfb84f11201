/** One connection to an AMQP 0-9-1 broker (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf), and what is wrong with it. */
import type { Duplex } from 'node:stream'
import type { Channel, ChannelModel } from 'amqplib'
import type { Clock } from '../../core/clock.ts'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { readBasicAuth } from '../connections/basic-auth.ts'
import { networkError } from '../connections/network-error.ts'
import type { AmqpSpec } from './spec.ts'

export interface AmqpConnection extends Closable {
  /** `host:port`. */
  readonly where: string
  /** Rejects when the connection is lost, with what is wrong. */
  readonly lost: Promise<never>
  readonly alive: boolean
  /** A channel, and a promise that rejects when the broker closes it. */
  open(): Promise<{ channel: Channel; closed: Promise<never> }>
}

const CONNECT_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 2_000
/** A connection that says nothing for two to three of these is dead. */
export const HEARTBEAT_SECONDS = 10

/** @throws ORIGIN_UNAVAILABLE, SECRET_MISSING, SPEC_INVALID: what is wrong, and in which layer */
export async function connect(ctx: EntryContext<AmqpSpec>): Promise<AmqpConnection> {
  const { spec, signal } = ctx
  const url = await readUrl(ctx)
  const auth = await readBasicAuth(ctx, spec.auth)
  const secure = url.protocol === 'amqps:'
  const port = Number(url.port) || (secure ? 5671 : 5672)
  const hostname = url.hostname.replace(/^\[|\]$/g, '') || 'localhost'
  const where = `${hostname}:${port}`
  const username = auth?.username ?? (decodeURIComponent(url.username) || 'guest')
  const password = auth?.password ?? (url.username === '' ? 'guest' : decodeURIComponent(url.password))
  const heartbeat = Number.parseInt(url.searchParams.get('heartbeat') ?? '', 10)
  const timeout = Number.parseInt(url.searchParams.get('connection_timeout') ?? '', 10)
  const { connect: dial } = await import('amqplib')
  const work = dial(
    {
      protocol: secure ? 'amqps' : 'amqp',
      hostname,
      port,
      username,
      password,
      vhost: url.pathname.length > 1 ? url.pathname.slice(1) : '/',
      heartbeat: Number.isNaN(heartbeat) ? HEARTBEAT_SECONDS : heartbeat,
    },
    {
      noDelay: true,
      timeout: timeout > 0 ? timeout : CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: 'vedette' },
      ...(secure ? await tlsMaterial(ctx, spec.tls) : {}),
    },
  ).catch((error: unknown) => {
    throw described(error, where)
  })
  // Told to stop while it dials: the connection is closed as soon as it is there.
  const model = await Promise.race([work, whenAborted(signal)])
  if (model === undefined) {
    work.then((late) => late.close()).catch(() => {})
    throw signal.reason
  }
  return wrap(model, where, ctx.clock)
}

async function readUrl({ spec, secret }: Pick<EntryContext<AmqpSpec>, 'spec' | 'secret'>): Promise<URL> {
  const text =
    spec.urlSecret === undefined
      ? spec.url
      : await sentSecret({ secret }, spec.urlSecret).catch((error: unknown) => {
          throw fail('SECRET_MISSING', `urlSecret not found, ${messageOf(error)}`, {}, { cause: error })
        })
  if (!/^amqps?:\/\//.test(text) || !URL.canParse(text))
    throw fail('SPEC_INVALID', 'the url is none of AMQP: write amqp://user:password@host:port/vhost')
  return new URL(text)
}

function wrap(model: ChannelModel, where: string, clock: Clock): AmqpConnection {
  const loss = Promise.withResolvers<never>()
  loss.promise.catch(() => {})
  let alive = true
  const end = (error: unknown) => {
    alive = false
    loss.reject(described(error, where))
  }
  model.on('error', end)
  model.on('close', (error) => end(error ?? new Error('the connection was closed')))
  return {
    where,
    lost: loss.promise,
    get alive() {
      return alive
    },
    async open() {
      const channel = await model.createChannel()
      const closure = Promise.withResolvers<never>()
      closure.promise.catch(() => {})
      channel.on('error', (error) => closure.reject(described(error, where)))
      channel.on('close', () => closure.reject(fail('ORIGIN_UNAVAILABLE', `${where}: the channel was closed`)))
      return { channel, closed: closure.promise }
    },
    async close() {
      alive = false
      // A broker that does not answer holds nobody up.
      const late = Promise.withResolvers<void>()
      const cancel = clock.after(CLOSE_TIMEOUT_MS, late.resolve)
      await Promise.race([model.close().catch(() => {}), late.promise])
      cancel()
      ;(model.connection as unknown as { stream: Duplex }).stream.destroy()
    },
  }
}

/** Reply codes of the protocol (section 1.1 and the constants of amqp-xml-doc0-9-1). */
const REPLIES: Readonly<Record<string, string>> = {
  'ACCESS-REFUSED': 'the broker refuses access',
  ACCESS_REFUSED: 'the broker refuses access',
  'NOT-ALLOWED': 'the broker does not allow it',
  'NOT-FOUND': 'not there',
  'PRECONDITION-FAILED': 'the broker cannot do it as things stand',
  'RESOURCE-LOCKED': 'somebody else holds it exclusively',
  'CONNECTION-FORCED': 'the broker goes down or has closed the connection',
}

/** How RabbitMQ words that something is declared anew otherwise than it is: one of several things for which it has that reply. */
const OTHERWISE = /inequivalent arg/

/** An error of the library or the network as one of ours. */
export function described(error: unknown, where: string): VedetteError {
  if (isVedetteError(error)) return error
  const message = messageOf(error)
  const reply = /\d{3} \(([A-Z-_]+)\)(?: with message)? ?"?([^"]*)/.exec(message)
  if (reply !== null) {
    const [, name = '', text = ''] = reply
    const during = /^Operation failed: (\w+)/.exec(message)?.[1]
    const login = /Handshake terminated/.test(message) && name.startsWith('ACCESS')
    const reason = OTHERWISE.test(message) ? 'it is there with other properties' : (REPLIES[name] ?? name)
    const what = login ? 'authentication: the broker refuses the user or the password' : reason
    const detail = text === '' ? name : text
    return fail(
      'ORIGIN_UNAVAILABLE',
      `${where}: ${during === undefined ? '' : `${during}: `}${what} (${detail})`,
      {},
      { cause: error },
    )
  }
  if (/Expected ConnectionOpenOk/.test(message))
    return fail(
      'ORIGIN_UNAVAILABLE',
      `${where}: the virtual host is not there, or not for this user`,
      {},
      { cause: error },
    )
  if (/Heartbeat timeout/i.test(message))
    return fail('ORIGIN_UNAVAILABLE', `${where}: connected but silent: no heartbeat came`, {}, { cause: error })
  return networkError(error, where)
}
