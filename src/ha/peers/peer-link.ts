/**
 * Suspicion for a Lease: each standby keeps one TCP connection to the holder's process. When that closes and nobody listens at the
 * address any more (the kernel there refuses the next connection), the process is dead. Everything else proves nothing and is left to
 * the Lease: silence (frozen, or cut off), an address that was never reached (NetworkPolicy), somebody else who answers there.
 *
 * How far it is to be trusted: both sides prove that they have read the Lease, so a stranger can neither pass for the holder nor learn
 * anything. Who can forge packets between two Pods may reset the connection and refuse the next, and so bring a standby to take over
 * from a living leader. That costs one change of leader and no event: the bus refuses the old term (see standing.ts: suspicion counts only
 * where it does).
 */
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import type { LeaseRecord, Lock, Suspicion } from '../lock.ts'
import type { AddressedLease, KubernetesLock, PeerAddress } from '../locks/kubernetes-lease.ts'
import { type Dialled, dialPeer } from './peer-dial.ts'
import type { PeerListener } from './peer-listener.ts'

export interface PeerLink extends Suspicion {
  /** The lock to use: what it reads and writes tells whom to link to. */
  readonly lock: Lock
  /** There is a connection to a holder that has proved itself: its death would be seen. */
  readonly linked: boolean
  close(): void
}

export interface PeerLinkOptions {
  /** Publishes the listener's address with each write. */
  lock: KubernetesLock
  /** Closed with the link. */
  listener: PeerListener
  /** `<namespace>/<lease name>` */
  lease: string
  /** How often the Lease is read when nobody else reads it here, milliseconds. */
  pollMs: number
  clock: Clock
  log: Logger
}

export function peerLink({ lock, listener, lease: name, pollMs, clock, log }: PeerLinkOptions): PeerLink {
  const suspicious = new Set<(holder: string) => void>()
  const curious = new Set<() => void>()
  /** Ids that this process has held the lease as. */
  const own = new Set<string>()
  let link: { holder: string; peer: PeerAddress; dialled: Dialled } | null = null
  let told: Pick<LeaseRecord, 'holder' | 'released'> | null = null
  let readAt = Number.NEGATIVE_INFINITY
  let cancelPoll = () => {}
  let closed = false

  const call = <T extends unknown[]>(listeners: Iterable<(...args: T) => void>, ...args: T) => {
    for (const listener of [...listeners]) listener(...args)
  }

  /** Links to whoever holds the lease, unless that is this process or nobody. */
  const follow = (lease: AddressedLease | null): void => {
    const holder = lease === null || lease.record.released || own.has(lease.record.holder) ? null : lease.record.holder
    const peer = holder === null ? null : (lease?.peer ?? null)
    if (link !== null && link.holder === holder && sameAddress(link.peer, peer)) return
    link?.dialled.close()
    link = null
    if (holder === null || peer === null || closed) return
    const dialled = dialPeer({
      peer,
      lease: name,
      clock,
      onWord: () => call(curious),
      onLink: (linked) => say(holder, peer, linked),
      onGone: () => call(suspicious, holder),
    })
    link = { holder, peer, dialled }
  }

  const say = (holder: string, { host, port }: PeerAddress, linked: boolean): void => {
    if (linked) log.info('linked to the leader: its death will be known at once', { leader: holder })
    else {
      log.warn(
        'no link to the leader: its Lease must run out before another takes over; does a NetworkPolicy forbid it?',
        {
          ...{ leader: holder, host, port },
        },
      )
    }
  }

  const seen = <T extends AddressedLease | null>(lease: T): T => {
    follow(lease)
    told = lease?.record ?? null
    return lease
  }

  const watchedLock: Lock = {
    called: lock.called,
    async read() {
      readAt = clock.monotonic()
      return seen(await lock.read())
    },
    async write(record, expected) {
      const before = told
      const written = await lock.write(record, expected)
      if (written === null) return null
      if (!record.released && record.holder !== '') own.add(record.holder)
      if (before?.holder !== written.record.holder || before.released !== written.record.released) listener.tell()
      return seen(written)
    },
    onChange(changed) {
      curious.add(changed)
      return () => curious.delete(changed)
    },
  }

  /** An elector reads more often than this looks; for who only listens, it is what finds the holder. */
  const poll = (): void => {
    cancelPoll = clock.after(pollMs, poll)
    if (clock.monotonic() - readAt < pollMs * 1.5 || curious.size + suspicious.size === 0) return
    const before = told
    watchedLock.read().then(
      (lease) => {
        if (lease?.record.holder !== before?.holder || lease?.record.released !== before?.released) call(curious)
      },
      () => {},
    )
  }
  poll()

  return {
    lock: watchedLock,
    get linked() {
      return link?.dialled.linked ?? false
    },
    onSuspect(listener) {
      suspicious.add(listener)
      return () => suspicious.delete(listener)
    },
    close() {
      closed = true
      cancelPoll()
      link?.dialled.close()
      listener.close()
    },
  }
}

const sameAddress = (a: PeerAddress, b: PeerAddress | null): boolean =>
  b !== null && a.host === b.host && a.port === b.port && a.key === b.key
