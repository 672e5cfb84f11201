/** A channel to the server, and the stream of its events; without any reconnecting of its own: the runtime does that. */
import { isIP } from 'node:net'
import type { Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import { bareHost, certifiedFor } from '../../clients/server-name.ts'
import { fail, messageOf, type VedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { networkError } from '../connections/network-error.ts'
import { eventingService, type StartRequest, type StreamedEvent } from './contract.ts'
import type { GenericSpec } from './spec.ts'

/** Argo Events' limit too (gRPC's default), bytes. */
export const LARGEST_MESSAGE = 4 * 1024 * 1024
const CONNECT_TIMEOUT_MS = 10_000
/** Servers of grpc-go refuse clients that ping more often than every five minutes (its keepalive enforcement). */
export const KEEPALIVE_MS = 310_000
export const KEEPALIVE_TIMEOUT_MS = 10_000
/** What the last call's answer was, in the metadata of a request. */
const LAST_NAME = 'last-event-name'

export interface Channel extends Closable {
  readonly client: Client
}

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function openChannel(ctx: EntryContext<GenericSpec>): Promise<Channel> {
  const { spec } = ctx
  const { Client: GrpcClient, credentials } = await import('@grpc/grpc-js')
  const ip = addressIn(spec.url)
  const buffer = (text: string | undefined) => (text === undefined ? null : Buffer.from(text))
  const trust = async () => {
    const { ca, cert, key, rejectUnauthorized } = await tlsMaterial(ctx, spec.tls)
    return credentials.createSsl(buffer(ca), buffer(key), buffer(cert), {
      rejectUnauthorized,
      ...(ip === null ? {} : certifiedFor(ip)),
    })
  }
  const client = new GrpcClient(spec.url, spec.insecure ? credentials.createInsecure() : await trust(), {
    'grpc.max_receive_message_length': LARGEST_MESSAGE,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // A connection of its own, not one that it shares with another entry and its trouble.
    'grpc.use_local_subchannel_pool': 1,
    // The library would send an address as server name, which TLS has no place for (RFC 6066, 3) and Node refuses.
    ...(ip === null ? {} : { 'grpc.ssl_target_name_override': 'ip-address.invalid' }),
  })
  return { client, close: () => client.close() }
}

/** The IP address of a target `address:port`, or null when it is a name. */
function addressIn(target: string): string | null {
  const host = bareHost(target.replace(/^dns:(\/{2,3})?/, '').replace(/:\d+$/, ''))
  return isIP(host) > 0 ? host : null
}

/** Connected, until the connection is lost (then it throws) or `signal` aborts. */
export async function staysConnected({ client }: Channel, ctx: EntryContext<GenericSpec>): Promise<void> {
  const { spec, clock, signal } = ctx
  const ready = Promise.withResolvers<void>()
  client.waitForReady(clock.now() + CONNECT_TIMEOUT_MS, (error) => (error ? ready.reject(error) : ready.resolve()))
  await Promise.race([ready.promise, whenAborted(signal)]).catch((error: unknown) => {
    throw signal.aborted ? error : fail('ORIGIN_UNAVAILABLE', `TCP: ${spec.url}: cannot connect`, {}, { cause: error })
  })
  ctx.condition(null)
  const channel = client.getChannel()
  const { connectivityState } = await import('@grpc/grpc-js')
  for (;;) {
    await clock.sleep(500, signal)
    const state = channel.getConnectivityState(true)
    // A server may close connections that carry no call; the next look connects again.
    if (state === connectivityState.TRANSIENT_FAILURE)
      throw fail('ORIGIN_UNAVAILABLE', `TCP: ${spec.url}: the connection is lost`)
  }
}

/**
 * Begins a stream. What it gives in the end is an error in all cases, since no stream is meant to end.
 * @param lastName the name of the last event that is stored, where names are unique
 * @throws SECRET_MISSING
 */
export async function openStream(
  { client }: Channel,
  ctx: EntryContext<GenericSpec>,
  lastName: string | null,
): Promise<ClientReadableStream<StreamedEvent>> {
  const { spec } = ctx
  const [{ Metadata }, { StartEventSource: method }] = await Promise.all([import('@grpc/grpc-js'), eventingService()])
  const metadata = new Metadata()
  if (spec.authSecret !== undefined) {
    const token = await sentSecret(ctx, spec.authSecret).catch((error: unknown) => {
      throw fail('SECRET_MISSING', `failed to retrieve the auth token, ${messageOf(error)}`, {}, { cause: error })
    })
    metadata.set('authorization', `Bearer ${token}`)
  }
  // Percent-encoded, since a header takes no other text.
  if (lastName !== null) metadata.set(LAST_NAME, encodeURIComponent(lastName))
  const request: StartRequest = { name: ctx.entry, config: Buffer.from(spec.config) }
  return client.makeServerStreamRequest<StartRequest, StreamedEvent>(
    method!.path,
    method!.requestSerialize,
    method!.responseDeserialize as (bytes: Buffer) => StreamedEvent,
    request,
    metadata,
  )
}

/** gRPC's status codes: https://grpc.io/docs/guides/status-codes/ */
export function described(error: unknown, where: string): VedetteError {
  const { code, details = messageOf(error) } = error as Partial<ServiceError>
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', text, {}, { cause: error })
  if (code === 7 || code === 16) return say(`authentication: ${where}: the server refuses the request (${details})`)
  if (code === 12) return say(`${where}: the server does not implement generic.Eventing/StartEventSource (${details})`)
  if (code === 8 && /larger than max/.test(details))
    return say(`${where}: an event is larger than the ${LARGEST_MESSAGE} bytes that gRPC takes (${details})`)
  if (/name resolution failed/i.test(details)) return say(`DNS: the host of ${where} is not known (${details})`)
  const found = /\b(E[A-Z]{4,}|ENOTFOUND|ERR_[A-Z_]+|CERT_[A-Z_]+|[A-Z_]*SELF_SIGNED[A-Z_]*|UNABLE_TO_[A-Z_]+)\b/.exec(
    details,
  )
  if (code === 14 && found !== null) return networkError(Object.assign(new Error(details), { code: found[1] }), where)
  return networkError(new Error(details), where)
}
