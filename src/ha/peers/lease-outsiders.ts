/**
 * Argo Events' own Pods on the same Lease, as they are during a migration. The Lease settles who serves among all; but they know
 * nothing of the fence, so it is said that it does not hold for them as long as they are seen, and for a minute after.
 */
import type { Clock } from '../../core/clock.ts'
import type { Outsiders } from '../lock.ts'
import type { AddressedLease, KubernetesLock } from '../locks/kubernetes-lease.ts'

/** One that was paused says nothing, and writes when it wakes up. */
const AROUND_MS = 60_000

export interface LeaseOutsiders extends Outsiders {
  /** The lock to use: what it reads tells who is there. */
  readonly lock: KubernetesLock
  close(): void
}

export function leaseOutsiders({
  lock,
  lease: name,
  clock,
}: {
  lock: KubernetesLock
  /** `<namespace>/<lease name>` */
  lease: string
  clock: Clock
}): LeaseOutsiders {
  const listeners = new Set<() => void>()
  let holder: string | null = null
  let seenAt = Number.NEGATIVE_INFINITY
  let cancel = () => {}

  const mixed = (): string | undefined => {
    if (holder !== null) return `${holder}, which is not Vedette, holds the Lease ${name}: no fence holds for it`
    if (clock.monotonic() - seenAt >= AROUND_MS) return undefined
    return `the Lease ${name} was held by another than Vedette within the last minute: no fence holds for it`
  }
  let shown = mixed()
  const look = () => {
    const now = mixed()
    if (now === shown) return
    shown = now
    for (const listener of [...listeners]) listener()
  }
  const seen = <T extends AddressedLease | null>(lease: T): T => {
    const foreign = lease?.foreign === true ? lease.record.holder : null
    if (foreign !== null || holder !== null) {
      seenAt = clock.monotonic()
      cancel()
      cancel = clock.after(AROUND_MS, look)
    }
    holder = foreign
    look()
    return lease
  }

  return {
    lock: {
      called: lock.called,
      read: async () => seen(await lock.read()),
      async write(record, expected) {
        const written = await lock.write(record, expected)
        return written === null ? null : seen(written)
      },
      onChange: (listener) => lock.onChange(listener),
    },
    // Who serves is said by the Lease alone.
    serving: () => false,
    quiet: () => true,
    mixed,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      cancel()
      listeners.clear()
    },
  }
}
