/** A NATS JetStream bus as an EventBus object or a Pod's environment describes it, with what replicas elect their leader by. */
import { parse } from 'yaml'
import { type Bus, type SourceRef, sourceKey } from '../bus/bus.ts'
import type { NatsCredentials, TlsFiles } from '../clients/nats.ts'
import { safeKey } from '../clients/nats-kv.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { SecretKeySelector } from '../source.ts'
import type { Election } from './holding.ts'
import type { SecretStore } from './secrets.ts'

/** A bus that is open, and the election on it. */
export interface OpenBus {
  bus: Bus
  /** What the replicas of one EventSource elect their leader by. */
  electionFor(source: SourceRef): Election
}

/** `spec.jetstreamExotic` of an EventBus, as its schema has checked it. */
export interface JetStreamSpec {
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

export interface OpenNatsOptions {
  /** Of the EventBus: where its Secrets are. */
  namespace: string
  spec: JetStreamSpec
  secrets: SecretStore
  /** Where the text of `accessSecret` comes from, when not from `secrets`. Read anew at each connect. */
  access?: () => Promise<string>
  /** Names this process in the server's monitoring. */
  session: string
  /** The one EventSource that it serves: then its inboxes are apart from those of others. */
  serves?: SourceRef
  clock: Clock
  log: Logger
}

/** Connects in the background, for ever. */
export async function openNats({
  namespace,
  spec: { url, accessSecret, streamConfig = '', tls },
  secrets,
  access = () => secrets.secret(namespace, accessSecret!),
  session,
  serves,
  clock,
  log,
}: OpenNatsOptions): Promise<OpenBus> {
  const [{ connectNats }, { openJetStream }, { jetstreamLock }, { noRespondersPeers }, { graftOutsiders }] =
    await Promise.all([
      import('../clients/nats.ts'),
      import('../bus/jetstream/bus.ts'),
      import('../ha/locks/jetstream-kv.ts'),
      import('../ha/peers/no-responders.ts'),
      import('../ha/peers/graft.ts'),
    ])
  const { servers, credentials } = addressesIn(url)
  const client = connectNats({
    servers,
    name: `vedette ${session}`,
    inbox: serves === undefined ? undefined : inboxOf(serves),
    credentials: async () => credentials ?? (accessSecret === undefined ? null : credentialsIn(await access())),
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
      const name = sourceKey(source)
      const lock = jetstreamLock({ leases: bus.leases, client, name })
      const peers = noRespondersPeers({ client, lock, name, clock })
      const outsiders = graftOutsiders({ client, source, clock, log })
      return {
        lock: peers.lock,
        suspicions: [peers],
        outsiders,
        close() {
          peers.close()
          outsiders.close()
        },
      }
    },
  }
}

/** Where answers to replicas of one EventSource go. */
export const inboxOf = (source: SourceRef): string => `_INBOX.${safeKey(sourceKey(source)).replaceAll('.', '=2e')}`

/**
 * Addresses as upstream takes them: separated by commas, and with `user:password@` or `token@` in them if need be, which win over the
 * access secret (nats.go). They are taken out, for addresses are logged.
 */
export function addressesIn(url: string): { servers: string[]; credentials: NatsCredentials } {
  const written = url
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
  const parts = written.map((one) => /^([a-z]+:\/\/)?(?:(.*)@)?(.*)$/i.exec(one)!)
  const login = parts.find(([, , before]) => before !== undefined)?.[2]
  const servers = parts.map(([, scheme = '', , address]) => `${scheme}${address}`)
  if (login === undefined) return { servers, credentials: null }
  const [user, pass] = login.split(/:(.*)/s, 2).map(percentDecoded)
  return { servers, credentials: pass === undefined ? { token: user! } : { user: user!, pass } }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
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
