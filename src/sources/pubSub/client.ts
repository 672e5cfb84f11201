/** Google's generated Pub/Sub clients, made from an entry's credentials. */
import type { v1 } from '@google-cloud/pubsub-api'
import { fail, isVedetteError, messageOf, type VedetteError } from '../../core/errors.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { networkError } from '../connections/network-error.ts'
import { type Names, namesOf, type PubSubSpec } from './spec.ts'

type ClientOptions = NonNullable<ConstructorParameters<typeof v1.SubscriberClient>[0]>

export interface PubSubClients extends Closable {
  readonly subscriber: v1.SubscriberClient
  /** Made only when a topic has to be looked at or made. */
  publisher(): v1.PublisherClient
  readonly names: Names
  /** True at an emulator, which knows no permissions. */
  readonly emulated: boolean
}

/** Google's own clients take the emulator's address from this variable, and so does Argo Events. */
const EMULATOR = 'PUBSUB_EMULATOR_HOST'
export const KEEPALIVE_MS = 60_000
export const KEEPALIVE_TIMEOUT_MS = 10_000

/** @throws SECRET_MISSING, SPEC_INVALID, ORIGIN_UNAVAILABLE */
export async function openClients(ctx: EntryContext<PubSubSpec>): Promise<PubSubClients> {
  const { spec, entry } = ctx
  const { v1: clients } = await import('@google-cloud/pubsub-api')
  const emulator = process.env[EMULATOR] ?? ''
  const options: ClientOptions = {
    ...(spec.projectID === '' ? {} : { projectId: spec.projectID }),
    ...(emulator === '' ? await credentialsOf(ctx) : await emulatorAt(emulator)),
    // A connection that is silent is found out by pings, which Google's servers take this often.
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  }
  const subscriber = new clients.SubscriberClient(options)
  let publisher: v1.PublisherClient | null = null
  const close = async () => {
    await Promise.allSettled([subscriber.close(), publisher?.close()])
  }
  try {
    const project =
      spec.projectID !== ''
        ? spec.projectID
        : await subscriber.getProjectId().catch((error: unknown) => {
            const why = "project ID is not given and couldn't determine from GCP metadata server"
            throw fail('ORIGIN_UNAVAILABLE', `failed to fill default values for ${entry}, ${why}, ${messageOf(error)}`)
          })
    return {
      subscriber,
      publisher: () => (publisher ??= new clients.PublisherClient(options)),
      names: namesOf(entry, spec, project),
      emulated: emulator !== '',
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** @param address `host:port` @returns what leads a client there */
export async function emulatorAt(address: string): Promise<ClientOptions> {
  const { credentials } = await import('@grpc/grpc-js')
  const { hostname, port } = new URL(`http://${address}`)
  return {
    servicePath: hostname,
    port: Number(port || 443),
    sslCreds: credentials.createInsecure(),
    // Without one the library looks for the machine's credentials, at Google's metadata server too. It asks nothing else of this one.
    authClient: { universeDomain: 'googleapis.com' } as NonNullable<ClientOptions['authClient']>,
  }
}

async function credentialsOf(ctx: EntryContext<PubSubSpec>): Promise<ClientOptions> {
  const { credentialSecret } = ctx.spec
  if (credentialSecret === undefined) return {}
  const json = await ctx.secret(credentialSecret).catch((error: unknown) => {
    throw fail('SECRET_MISSING', `could not find credentials, ${messageOf(error)}`, {}, { cause: error })
  })
  try {
    return { credentials: JSON.parse(json) as NonNullable<ClientOptions['credentials']> }
  } catch {
    // Without the parser's words: they may quote the key.
    throw fail('SPEC_INVALID', `the value of key ${credentialSecret.key} of Secret ${credentialSecret.name} is no JSON`)
  }
}

/** Of one request: the runtime tries again, and says meanwhile what is wrong. */
export const ONCE = { retry: null, timeout: 10_000 }

/** gRPC's status codes: https://grpc.io/docs/guides/status-codes/ */
export const NOT_FOUND = 5
export const ALREADY_EXISTS = 6
export const codeOf = (error: unknown): number | undefined => {
  const { code } = error as { code?: unknown }
  return typeof code === 'number' ? code : undefined
}

/** @param what has failed, upstream's words @returns ORIGIN_UNAVAILABLE */
export function described(error: unknown, what: string): VedetteError {
  if (isVedetteError(error)) return error
  const { details = messageOf(error) } = error as { details?: string }
  const code = codeOf(error)
  const say = (text: string) => fail('ORIGIN_UNAVAILABLE', text, {}, { cause: error })
  if (code === 7 || code === 16 || /invalid_grant|could not load the default credentials|private key/i.test(details))
    return say(`authentication: ${what}, ${details}`)
  if (/name resolution failed/i.test(details)) return say(`DNS: the host of Pub/Sub is not known; ${what}, ${details}`)
  const system = /\b(ECONN[A-Z]+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/.exec(details)?.[1]
  if (system !== undefined) {
    const { message } = networkError(Object.assign(new Error(details), { code: system }), 'Pub/Sub')
    return say(`${message}; ${what}`)
  }
  return say(`${what}, ${details}`)
}
