/**
 * The lock port on a key/value bucket of JetStream. Whoever changes the holder says so on a plain subject once the bucket has it, so
 * that others read at once and need no consumer; who missed it finds out at the next poll.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { z } from 'zod'
import type { NatsClient } from '../../clients/nats.ts'
import { type NatsKv, safeKey } from '../../clients/nats-kv.ts'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { jsonIn } from '../../core/json-in.ts'
import type { Lease, LeaseRecord, Lock } from '../lock.ts'

/** Where changes of the holder are told. @param name `<namespace>/<eventsource>` */
export const leaseSubject = (name: string): string => `vedette.lease.${safeKey(name)}`

/** @param name `<namespace>/<eventsource>`, the key of its lease */
export function jetstreamLock({ leases, client, name }: { leases: NatsKv; client: NatsClient; name: string }): Lock {
  const subject = leaseSubject(name)
  let lastSeen: LeaseRecord | null = null

  const tell = (record: LeaseRecord) => {
    const renewed = lastSeen !== null && lastSeen.holder === record.holder && lastSeen.released === record.released
    lastSeen = record
    if (!renewed) client.connection.then((nc) => nc.publish(subject)).catch(() => {})
  }

  return {
    onBus: true,
    async read() {
      const found = await leases.get(name).catch(asLockError)
      const lease = found === null ? null : leaseOf(found)
      lastSeen = lease?.record ?? null
      return lease
    },
    async write(record, expected) {
      const value = Buffer.from(JSON.stringify(record))
      const revision = await leases.put(name, value, expected === null ? 0 : Number(expected)).catch(asLockError)
      if (revision === null) return null
      tell(record)
      return { record, revision: String(revision) }
    },
    onChange: (listener) => listen(client, subject, listener),
  }
}

/** Calls back for each message on `subject`, and when the connection is back: something may have been missed. */
function listen(client: NatsClient, subject: string, listener: () => void): () => void {
  let stopped = false
  let unsubscribe = () => {}
  client.connection
    .then((nc: NatsConnection) => {
      if (stopped) return
      const subscription = nc.subscribe(subject, { callback: () => void (stopped || listener()) })
      unsubscribe = () => subscription.unsubscribe()
    })
    .catch(() => {})
  const forget = client.onStatus((status) => status.connected && listener())
  return () => {
    stopped = true
    forget()
    try {
      unsubscribe()
    } catch {
      // The connection has been closed, and the subscription with it.
    }
  }
}

/** Of a replica: what is longer is none, and would be too long for the subject that it is pinged on. */
const replica = z.string().max(512)
const leaseRecord = z.object({
  holder: replica,
  durationMs: z.number(),
  term: z.int().nonnegative().catch(0),
  released: z.boolean(),
  successor: replica.optional().catch(undefined),
})

/** What is none of ours nobody renews, so it is taken over like any that has run out. */
const NOBODYS: LeaseRecord = { holder: '?', durationMs: 0, term: 0, released: false }

/** @param found as it lies in the bucket, whoever wrote it */
export function leaseOf({ value, revision }: { value: Uint8Array; revision: number }): Lease {
  return { record: leaseRecord.safeParse(jsonIn(value)).data ?? NOBODYS, revision: String(revision) }
}

function asLockError(error: unknown): never {
  if (isVedetteError(error, 'OUTCOME_UNKNOWN')) throw error
  throw fail('LOCK_UNAVAILABLE', messageOf(error), {}, { cause: error })
}
