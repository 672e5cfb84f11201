/** How long a lease lasts and how often it is renewed; the one rule that makes the three figures fit each other. */
import { fail } from '../core/errors.ts'
import type { LeaseTiming } from './lock.ts'

/** For locks that answer within milliseconds (embedded, JetStream KV). */
export const quickTiming: Readonly<LeaseTiming> = { leaseMs: 1500, renewDeadlineMs: 1000, retryMs: 250 }

/** Argo Events' for a Kubernetes Lease; its variables `LEADER_ELECTION_LEASE_DURATION` and so on replace them. */
export const leaseTimingDefaults: Readonly<LeaseTiming> = { leaseMs: 5000, renewDeadlineMs: 2000, retryMs: 1000 }

/** The share by which a pause between renewals may exceed its nominal length and still come in time (client-go's). */
const JITTER = 1.2

/**
 * The timing to use: `given` over the defaults.
 * @throws SPEC_INVALID unless lease > renew deadline > retry × 1.2 and all are positive and finite
 */
export function leaseTiming(given: Partial<LeaseTiming> = {}): LeaseTiming {
  const timing = { ...quickTiming, ...given }
  const { leaseMs, renewDeadlineMs, retryMs } = timing
  for (const [name, value] of Object.entries(timing)) {
    if (!Number.isFinite(value) || value <= 0) {
      throw fail('SPEC_INVALID', `lease timing: ${name} is ${value}, it must be a positive number of milliseconds`, {
        ...timing,
      })
    }
  }
  if (leaseMs <= renewDeadlineMs) {
    throw fail(
      'SPEC_INVALID',
      `lease timing: the lease (${leaseMs} ms) must be longer than the renew deadline (${renewDeadlineMs} ms)`,
      { ...timing },
    )
  }
  if (renewDeadlineMs <= retryMs * JITTER) {
    throw fail(
      'SPEC_INVALID',
      `lease timing: the renew deadline (${renewDeadlineMs} ms) must be longer than ${JITTER} × the retry pause (${retryMs} ms)`,
      { ...timing },
    )
  }
  return timing
}
