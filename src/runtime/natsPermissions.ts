/**
 * What a NATS user needs who serves one EventSource and nothing else: its own subjects, and of the API of JetStream what is really asked. Found by running
 * under a user with exactly these (test/security/nats-permissions.test.ts).
 */

import { type SourceRef, sourceKey, subjectOf } from '../bus/bus.ts'
import { placeOf } from '../bus/jetstream/beside.ts'
import { BUCKET, LEASES } from '../bus/jetstream/buckets.ts'
import { inboxOf } from '../bus/jetstream/inbox.ts'
import { termSubject } from '../bus/jetstream/record.ts'
import { snapshotKey, snapshotSlots } from '../bus/jetstream/snapshots.ts'
import { STREAM } from '../bus/jetstream/stream.ts'
import { safeKey } from '../clients/nats-kv.ts'
import { leaseSubject } from '../ha/locks/jetstream-kv.ts'
import { graftCluster } from '../ha/peers/graft.ts'
import { aliveSubject } from '../ha/peers/no-responders.ts'
import type { Entry } from '../manifest/manifest.ts'
import { loadSource } from '../sources/index.ts'
import { keysOf } from './registrar/records.ts'

/** Subjects, as `permissions` of a NATS user lists them under `allow`. */
export interface NatsPermissions {
  publish: string[]
  subscribe: string[]
}

/** A user of a NATS server. */
export interface NatsUser {
  user: string
  password: string
  permissions: NatsPermissions
}

/** An entry, as far as the bus is concerned. */
export interface BusUse {
  name: string
  /** One replica serves it, and its place is on the bus. */
  fenced: boolean
  /** Something is made for it at a provider. */
  hooks: boolean
}

export async function busUses(entries: readonly Pick<Entry, 'type' | 'name'>[]): Promise<BusUse[]> {
  const definitions = await Promise.all(entries.map(({ type }) => loadSource(type)))
  return entries.map(({ name }, i) => ({
    name,
    fenced: definitions[i]?.strategy === 'active-passive',
    hooks: definitions[i]?.hooks !== undefined,
  }))
}

export function natsPermissions(source: SourceRef, uses: readonly BusUse[]): NatsPermissions {
  const key = sourceKey(source)
  const kept = (path: string) => `$KV.${BUCKET}.${safeKey(path)}`
  const streams = [STREAM, `KV_${BUCKET}`, `KV_${LEASES}`]
  const inbox = `${inboxOf(source)}.>`
  const ofEntry = ({ name, fenced, hooks }: BusUse): string[] => {
    const snapshot = kept(snapshotKey(source, name))
    return [
      subjectOf(source, name),
      ...(fenced ? [snapshot, ...snapshotSlots.map((slot) => `${snapshot}/${slot}.*`)] : []),
      ...(hooks ? Object.values(keysOf(source, name)).map(kept) : []),
    ]
  }
  const election = [leaseSubject(key), `${aliveSubject(key)}.>`]
  return {
    publish: [
      ...uses.flatMap(ofEntry),
      ...[termSubject(source), `${kept(placeOf(source))}.>`, `$KV.${LEASES}.${safeKey(key)}`, ...election],
      // Whoever asks whether a replica is there is another one of the same EventSource.
      inbox,
      ...['STREAM.INFO', 'STREAM.MSG.GET', 'STREAM.CREATE'].flatMap((what) =>
        streams.map((stream) => `$JS.API.${what}.${stream}`),
      ),
    ],
    subscribe: [inbox, ...election, ...['heartbeat', 'vote_request'].map((what) => `${graftCluster(source)}.${what}`)],
  }
}

/** A member of `users` in the configuration of a NATS server, in one line. */
export function natsUserLine({ user, password, permissions: { publish, subscribe } }: NatsUser): string {
  const permissions = { publish: { allow: publish }, subscribe: { allow: subscribe } }
  return JSON.stringify({ user, password, permissions })
}

/** The same for people to read; the password is to be put in. */
export function natsUserText(source: SourceRef, { publish, subscribe }: NatsPermissions): string {
  const list = (subjects: string[]) => subjects.map((subject) => `      ${JSON.stringify(subject)}`).join('\n')
  return [
    `{ user: ${JSON.stringify(sourceKey(source))}, password: "<of EventSource ${source.name}>"`,
    '  permissions: {',
    `    publish: { allow: [\n${list(publish)}\n    ] }`,
    `    subscribe: { allow: [\n${list(subscribe)}\n    ] }`,
    '  }',
    '}',
  ].join('\n')
}
