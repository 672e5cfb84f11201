/** One connection to a NATS server, without any reconnecting of its own: the runtime does that, with secrets read anew. */
import type { Authenticator, ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { checkConnectedServer } from '../../clients/server-name.ts'
import { fail, messageOf } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { EntryContext } from '../../source.ts'
import { readBasicAuth } from '../connections/basic-auth.ts'
import { networkError } from '../connections/network-error.ts'
import { addressesOf, type NatsSpec } from './spec.ts'

type Library = typeof import('@nats-io/transport-node')

const CONNECT_TIMEOUT_MS = 5_000
/** A server that says nothing is gone after two to three of these. */
export const PING_MS = 2_000

/** @throws ORIGIN_UNAVAILABLE, SECRET_MISSING: what is wrong, and in which layer */
export async function connect(ctx: EntryContext<NatsSpec>): Promise<NatsConnection> {
  const library = await import('@nats-io/transport-node')
  const addresses = addressesOf(ctx.spec).map(parseAddress)
  const servers = addresses.map(({ server }) => server)
  const where = servers.join(', ')
  const tls = ctx.spec.tls === undefined ? undefined : await tlsMaterial(ctx, ctx.spec.tls)
  const inUrl = addresses.find(({ login }) => login !== null)?.login ?? null
  const authenticator =
    (await authenticatorOf(ctx, library)) ?? (inUrl === null ? null : library.usernamePasswordAuthenticator(...inUrl))
  const options: ConnectionOptions = {
    servers,
    name: `vedette ${ctx.eventSource}/${ctx.entry}`,
    reconnect: false,
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(authenticator === null ? {} : { authenticator }),
    // Left out: TLS where the server offers it, verified.
    ...(tls === undefined ? {} : { tls: { ...tls, checkServerIdentity: checkConnectedServer } as typeof tls }),
  }
  try {
    return await library.connect(options)
  } catch (error) {
    throw described(error, where)
  }
}

/** Go's client takes a user, or a token, from the URL; ours does not. */
function parseAddress(address: string): { server: string; login: [user: string, password: string] | null } {
  const [, scheme = '', login, host = ''] = /^(?:([a-z]+):\/\/)?(?:([^@]*)@)?(.*)$/i.exec(address) ?? []
  const server = scheme === 'tls' ? `tls://${host}` : host
  if (login === undefined) return { server, login: null }
  const [user = '', password = ''] = login.split(':').map(decodeURIComponent)
  return { server, login: [user, password] }
}

/** In upstream's precedence: basic, token, NKey, credentials. */
async function authenticatorOf(ctx: EntryContext<NatsSpec>, library: Library): Promise<Authenticator | null> {
  const { basic, token, nkey, credential } = ctx.spec.auth ?? {}
  const login = await readBasicAuth(ctx, basic)
  if (login !== null) return library.usernamePasswordAuthenticator(login.username, login.password)
  if (token !== undefined) return library.tokenAuthenticator(await sentSecret(ctx, token))
  const bytes = async (what: string, selector: NonNullable<typeof nkey>) => {
    try {
      return Buffer.from(`${(await ctx.secret(selector)).trim()}\n`)
    } catch (error) {
      throw fail('SECRET_MISSING', `failed to get ${what}, ${messageOf(error)}`, {}, { cause: error })
    }
  }
  if (nkey !== undefined) return library.nkeyAuthenticator((await bytes('NKey', nkey)).subarray(0, -1))
  if (credential !== undefined) return library.credsAuthenticator(await bytes('credential', credential))
  return null
}

/** An error of the library or the network as one of ours. */
export function described(error: unknown, where: string) {
  const message = messageOf(error)
  const cause = (error as { cause?: unknown } | null)?.cause
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', text, {}, { cause: error })
  if (/authori[sz]ation|authentication|user authentication expired/i.test(message))
    return say(`authentication: ${where}: the server refuses the credentials (${message})`)
  if (/permissions violation/i.test(message)) return say(`authentication: ${where}: not permitted (${message})`)
  if (/stale connection/i.test(message)) return say(`${where}: connected but silent: no answer to pings`)
  if (/timeout/i.test(message)) return say(`TCP: ${where}: no answer (${message})`)
  return networkError(cause ?? error, where)
}
