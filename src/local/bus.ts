/** The bus of a run, as the supervisor and every host opens it: the embedded one, or the one that the EventBus object names. */
import { parse } from 'yaml'
import type { Bus, SourceRef } from '../bus/bus.ts'
import { connectEmbedded } from '../bus/embedded/client.ts'
import type { NatsCredentials, TlsFiles } from '../clients/nats.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Lock, Suspicion } from '../ha/lock.ts'
import { embeddedLock } from '../ha/locks/embedded.ts'
import { embeddedSuspicion } from '../ha/peers/embedded.ts'
import type { EventBus } from '../manifest/manifest.ts'
import type { SecretStore } from '../runtime/secrets.ts'
import type { SecretKeySelector } from '../source.ts'

/** Which bus; plain data, as it goes to a host. */
export type BusAddress =
  /** Where the bus process listens, and for which run it takes writes. */
  { kind: 'embedded'; socket: string; incarnation: number } | { kind: 'jetstream'; object: EventBus }

export interface OpenBus {
  bus: Bus
  /** What the replicas of one EventSource elect their leader by. */
  electionFor(source: SourceRef): Election
}

export interface Election {
  lock: Lock
  suspicions: Suspicion[]
  close(): void
}

export interface OpenBusOptions {
  secrets: SecretStore
  /** Names this process in the bus's log. */
  session: string
  clock: Clock
  log: Logger
}

const lockName = ({ namespace, name }: SourceRef) => `${namespace}/${name}`

/** Connects in the background, for ever. */
export async function openBus(address: BusAddress, options: OpenBusOptions): Promise<OpenBus> {
  return address.kind === 'embedded' ? openEmbedded(address, options) : await openNats(address.object, options)
}

function openEmbedded(
  { socket, incarnation }: BusAddress & { kind: 'embedded' },
  { session, clock, log }: OpenBusOptions,
): OpenBus {
  const bus = connectEmbedded({ socket, incarnation, session, clock, log })
  const suspicions = [embeddedSuspicion(bus)]
  return {
    bus,
    electionFor: (source) => ({ lock: embeddedLock(bus, lockName(source)), suspicions, close() {} }),
  }
}

/** `spec.jetstreamExotic`, as its schema has checked it. */
interface JetStreamSpec {
  url: string
  accessSecret?: SecretKeySelector
  streamConfig?: string
  tls?: {
    caCertSecret?: SecretKeySelector
    clientCertSecret?: SecretKeySelector
    clientKeySecret?: SecretKeySelector
    insecureSkipVerify?: boolean
  }
}

async function openNats(
  { namespace, spec }: EventBus,
  { secrets, session, clock, log }: OpenBusOptions,
): Promise<OpenBus> {
  const [{ connectNats }, { openJetStream }, { jetstreamLock }, { noRespondersPeers }] = await Promise.all([
    import('../clients/nats.ts'),
    import('../bus/jetstream/bus.ts'),
    import('../ha/locks/jetstream-kv.ts'),
    import('../ha/peers/no-responders.ts'),
  ])
  const { url, accessSecret, streamConfig = '', tls } = spec.jetstreamExotic as JetStreamSpec
  const client = connectNats({
    servers: serversIn(url),
    name: `vedette ${session}`,
    credentials: async () =>
      accessSecret === undefined ? null : credentialsIn(await secrets.secret(namespace, accessSecret)),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            insecureSkipVerify: tls.insecureSkipVerify === true,
            files: () => tlsFiles(tls, (selector) => secrets.secret(namespace, selector)),
          },
        }),
    clock,
    log,
  })
  const bus = openJetStream({ client, streamConfig, clock, log })
  return {
    bus,
    electionFor(source) {
      const name = lockName(source)
      const lock = jetstreamLock({ leases: bus.leases, client, name })
      const peers = noRespondersPeers({ client, lock, name, clock })
      return { lock: peers.lock, suspicions: [peers], close: () => peers.close() }
    },
  }
}

/** Addresses as upstream takes them: separated by commas. */
export function serversIn(url: string): string[] {
  return url
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

/** What the access secret holds: upstream's YAML with `username` and `password`, one with `token`, or just the token. */
export function credentialsIn(text: string): NatsCredentials {
  let value: unknown = text.trim()
  try {
    // Every scalar as it is written: a password of digits is no number.
    value = parse(text, { maxAliasCount: 0, schema: 'failsafe' })
  } catch {
    // A token that happens to be no YAML.
  }
  if (value === null || typeof value !== 'object') return { token: text.trim() }
  const { username, password, token } = value as Record<string, unknown>
  if (username !== undefined) return { user: String(username), pass: String(password ?? '') }
  return { token: String(token ?? '') }
}

async function tlsFiles(
  { caCertSecret, clientCertSecret, clientKeySecret }: NonNullable<JetStreamSpec['tls']>,
  read: (selector: SecretKeySelector) => Promise<string>,
): Promise<TlsFiles> {
  const one = async (selector: SecretKeySelector | undefined) => (selector === undefined ? undefined : read(selector))
  const [ca, cert, key] = await Promise.all([one(caCertSecret), one(clientCertSecret), one(clientKeySecret)])
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}
