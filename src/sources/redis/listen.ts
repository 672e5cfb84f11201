/** One subscriber connection, without any reconnecting of its own: the runtime does that, with secrets read anew. */
import type { RedisOptions } from 'ioredis'
import { serverNameOf } from '../../clients/server-name.ts'
import { fail, messageOf, type VedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import { decodeUtf8 } from '../../core/utf8.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { ListenContext } from '../../source.ts'
import { networkError } from '../connections/network-error.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { payloadOrSkip } from '../queues/hand-over.ts'
import { addressOf, type RedisSpec } from './spec.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** A server that does not answer a ping within this is gone. */
export const PING_MS = 3_000
/** A loop that has asked for no answer for so long stands still. */
const SILENT_MS = 30_000

export async function listenToChannels(ctx: ListenContext<RedisSpec>): Promise<void> {
  const { spec, signal, clock } = ctx
  const { jsonBody, metadata, channels = [] } = spec
  const where = spec.hostAddress
  const { Redis: Client } = await import('ioredis')
  const redis = new Client(await optionsOf(ctx))
  const closed = Promise.withResolvers<never>()
  closed.promise.catch(() => {})
  let last: unknown
  redis.on('error', (error) => {
    last = error
  })
  redis.on('end', () => closed.reject(described(last ?? new Error('the server has closed the connection'), where)))
  redis.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    if (signal.aborted) return
    const name = decodeUtf8(channel)
    const item = { what: `a message of channel ${name}`, fate: 'Redis does not keep it' }
    const data = payloadOrSkip(ctx, item, () => {
      const body = jsonBody ? bodyOf(message, true) : decodeUtf8(message)
      return payloadOf({ channel: name, pattern: '', body }, metadata)
    })
    if (data !== null) void ctx.hear({ data, item })
  })
  try {
    await redis.connect().catch((error: unknown) => {
      throw described(last ?? error, where)
    })
    await redis.subscribe(...channels).catch((error: unknown) => {
      const text = `failed to receive the subscription confirmation for event source ${ctx.entry}, ${messageOf(error)}`
      throw described(Object.assign(new Error(text), { cause: error }), where)
    })
    ctx.subscribed()
    await Promise.race([whenAborted(signal), closed.promise, pinging()])
  } finally {
    redis.disconnect()
  }

  /** Ends by an error, when an answer does not come in time. */
  async function pinging(): Promise<never> {
    for (;;) {
      ctx.reading(SILENT_MS)
      await clock.sleep(PING_MS, signal)
      const answered = await Promise.race([
        redis.ping().then(() => true),
        clock.sleep(PING_MS, signal).then(() => false),
        closed.promise,
      ])
      if (!answered) throw fail('ORIGIN_UNAVAILABLE', `${where}: connected but silent: no answer to a ping`)
    }
  }
}

async function optionsOf(ctx: ListenContext<RedisSpec>): Promise<RedisOptions> {
  const { spec } = ctx
  const address = addressOf(spec)
  if (address === null) throw fail('SPEC_INVALID', `the address ${spec.hostAddress} has no port: write host:6379`)
  const password =
    spec.password === undefined
      ? undefined
      : await sentSecret(ctx, spec.password).catch((error: unknown) => {
          const text = `failed to find the secret password ${spec.password!.name}, ${messageOf(error)}`
          throw fail('SECRET_MISSING', text, {}, { cause: error })
        })
  return {
    ...address,
    db: spec.db,
    lazyConnect: true,
    // What every version of Redis understands.
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectionName: 'vedette',
    ...(spec.username === '' ? {} : { username: spec.username }),
    ...(password === undefined ? {} : { password }),
    // The library sends no name by itself.
    ...(spec.tls === undefined
      ? {}
      : { tls: { servername: serverNameOf(address.host) ?? '', ...(await tlsMaterial(ctx, spec.tls)) } }),
  }
}

function described(error: unknown, where: string): VedetteError {
  const message = messageOf(error)
  if (/WRONGPASS|NOAUTH|NOPERM|invalid password|AUTH.*password/i.test(message))
    return fail('ORIGIN_UNAVAILABLE', `authentication: ${where}: ${message}`, {}, { cause: error })
  return networkError(error, where)
}
