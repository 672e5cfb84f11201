/**
 * Suspicion on NATS: whoever holds a lease answers pings on a plain subject; when its connection is gone, the server itself says
 * that nobody listens there. A frozen process does not count: its subscription is still there, and its lease runs out.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import type { NatsClient } from '../../clients/nats.ts'
import { safeKey } from '../../clients/nats-kv.ts'
import type { Clock } from '../../core/clock.ts'
import { randomId } from '../../core/event.ts'
import type { Lease, Lock, Suspicion } from '../lock.ts'

export interface Peers extends Suspicion {
  /** The lock to use instead: what it reads and writes tells whom to ping, and for whom to answer. */
  readonly lock: Lock
  close(): void
}

const PING_MS = 40
/** So many answers in a row that nobody listens, … */
const MISSES = 3
/** … over more than a client needs to connect again. */
const MISSING_MS = 105
/** A connection that is new, here or at the holder's, proves nothing yet. */
const UNSETTLED_MS = 1_000

/** What replicas of it are asked on whether they are there, with the replica's id behind. @param name `<namespace>/<eventsource>` */
export const aliveSubject = (name: string): string => `vedette.alive.${safeKey(name)}`

/** @param name `<namespace>/<eventsource>` */
export function noRespondersPeers({
  client,
  lock,
  name,
  clock,
}: {
  client: NatsClient
  lock: Lock
  name: string
  clock: Clock
}): Peers {
  const listeners = new Set<(holder: string) => void>()
  const stops = new Set<() => void>()
  const inbox = `${client.inbox}.${randomId()}`
  /** Ids that this process has held the lease as, and those that it answers for. */
  const own = new Set<string>()
  const answered = new Set<string>()
  let connection: NatsConnection | null = null
  let holder: string | null = null
  let misses = 0
  let firstMissMs = 0
  let cancelPing = () => {}
  let pinging = false
  let closed = false

  const subjectOf = (id: string) => `${aliveSubject(name)}.${safeKey(id)}`

  client.connection
    .then((nc) => {
      if (closed) return
      connection = nc
      const answers = nc.subscribe(`${inbox}.>`, {
        callback: (_, message) => {
          const of = message.subject.slice(inbox.length + 1)
          if (holder === null || of !== safeKey(holder)) return
          if (message.data.length === 0 && message.headers?.code === 503) missed()
          else misses = 0
        },
      })
      stops.add(() => answers.unsubscribe())
      for (const id of answered) answerFor(id)
    })
    .catch(() => {})

  const answerFor = (id: string) => {
    const answering = connection?.subscribe(subjectOf(id), { callback: (_, message) => void message.respond('1') })
    if (answering !== undefined) stops.add(() => answering.unsubscribe())
  }

  const missed = () => {
    const now = clock.monotonic()
    if (now - client.unsettledAt < UNSETTLED_MS) return
    if (misses++ === 0) firstMissMs = now
    if (misses < MISSES || now - firstMissMs < MISSING_MS || holder === null) return
    const gone = holder
    watch(null)
    for (const listener of [...listeners]) listener(gone)
  }

  /** Pings whoever holds the lease now, unless that is this process or nobody. */
  const watch = (id: string | null) => {
    if (id === holder) return
    holder = id
    misses = 0
    if (holder !== null && !pinging) ping()
  }

  const ping = () => {
    pinging = holder !== null && !closed && listeners.size > 0
    if (!pinging || holder === null) return
    try {
      if (client.status().connected)
        connection?.publish(subjectOf(holder), undefined, { reply: `${inbox}.${safeKey(holder)}` })
    } catch {
      // Closed: the next look finds that out.
    }
    cancelPing = clock.after(PING_MS, ping)
  }

  const seen = (lease: Lease | null) => {
    const id = lease === null || lease.record.released || lease.record.holder === '' ? null : lease.record.holder
    watch(id === null || own.has(id) ? null : id)
    return lease
  }

  const watchedLock: Lock = {
    ...lock,
    read: async () => seen(await lock.read()),
    async write(record, expected) {
      const held = record.released ? '' : record.holder
      // Before it is written: others ping as soon as they read of it, and would take a busy process for a dead one.
      if (held !== '' && !answered.has(held)) {
        answered.add(held)
        answerFor(held)
      }
      const written = await lock.write(record, expected)
      if (written === null) return null
      if (held !== '') own.add(held)
      return seen(written)
    },
  }

  return {
    lock: watchedLock,
    onSuspect(listener) {
      listeners.add(listener)
      const look = () => void watchedLock.read().catch(() => {})
      const forget = lock.onChange(look)
      look()
      return () => {
        forget()
        listeners.delete(listener)
      }
    },
    close() {
      closed = true
      cancelPing()
      for (const stop of stops) {
        try {
          stop()
        } catch {
          // The connection has been closed, and its subscriptions with it.
        }
      }
    },
  }
}
