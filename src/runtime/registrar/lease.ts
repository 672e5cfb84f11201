/**
 * A short lease for errands that one replica at a time should run, on the bus's key/value store. Like every lease it gives liveness,
 * not safety: a frozen holder may wake up and go on for a moment. What runs under it must bear that (the registrar lists again).
 */
import { randomUUID } from 'node:crypto'
import type { KeyValue } from '../../bus/bus.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf } from '../../core/errors.ts'

export interface ErrandLease {
  kv: KeyValue
  key: string
  /** Replica id, for people who look at the record. */
  holder: string
  clock: Clock
}

/** Others take the lease when its revision has not changed for so long, on their own clock. */
const LEASE_MS = 15_000
const RENEW_MS = 4_000
/** The holder gives up when it could not renew for so long. */
const RENEW_DEADLINE_MS = 10_000
const POLL_MS = 250

interface Held {
  nonce: string
  revision: number
}

/**
 * Waits for the lease, runs `work` under it and gives it back.
 * @param work gets a signal that aborts with `signal` or when the lease is lost
 * @throws what `work` throws, or the reason of `signal`; BUS_UNAVAILABLE while the store cannot be reached
 */
export async function withLease<T>(
  lease: ErrandLease,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const held = await acquire(lease, signal)
  const lost = new AbortController()
  const stopRenewing = keepRenewing(lease, held, lost)
  try {
    return await work(AbortSignal.any([signal, lost.signal]))
  } finally {
    await stopRenewing()
    // Best effort: who cannot give it back lets it run out.
    if (!lost.signal.aborted) await lease.kv.put(lease.key, record('', ''), held.revision).catch(() => {})
  }
}

async function acquire({ kv, key, holder, clock }: ErrandLease, signal: AbortSignal): Promise<Held> {
  const nonce = randomUUID()
  let seen = { revision: -1, since: clock.monotonic() }
  for (;;) {
    signal.throwIfAborted()
    const found = await kv.get(key)
    const now = clock.monotonic()
    if (found !== null && found.revision !== seen.revision) seen = { revision: found.revision, since: now }
    const current = found === null ? { holder: '', nonce: '' } : parse(found.value)
    // A write whose answer was lost.
    if (current.nonce === nonce) return { nonce, revision: found!.revision }
    if (current.holder === '' || now - seen.since >= LEASE_MS) {
      const revision = await kv.put(key, record(holder, nonce), found?.revision ?? 0).catch(() => null)
      if (revision !== null) return { nonce, revision }
    }
    await clock.sleep(POLL_MS, signal)
  }
}

/** @returns stops it; resolves when no renewal is under way, so that `held.revision` is the last one */
function keepRenewing({ kv, key, holder, clock }: ErrandLease, held: Held, lost: AbortController): () => Promise<void> {
  const done = new AbortController()
  const renewing = (async () => {
    let renewedAt = clock.monotonic()
    while (!done.signal.aborted) {
      await clock.sleep(RENEW_MS, done.signal).catch(() => {})
      if (done.signal.aborted) return
      try {
        const revision = await kv.put(key, record(holder, held.nonce), held.revision)
        if (revision === null) return lost.abort(fail('LOCK_UNAVAILABLE', 'another replica has taken the lease'))
        held.revision = revision
        renewedAt = clock.monotonic()
      } catch (error) {
        if (clock.monotonic() - renewedAt < RENEW_DEADLINE_MS) continue
        return lost.abort(fail('LOCK_UNAVAILABLE', `the lease could not be renewed: ${messageOf(error)}`))
      }
    }
  })()
  return async () => {
    done.abort()
    await renewing
  }
}

const record = (holder: string, nonce: string): Uint8Array => Buffer.from(JSON.stringify({ holder, nonce }))

function parse(value: Uint8Array): { holder: string; nonce: string } {
  try {
    const { holder, nonce } = JSON.parse(Buffer.from(value).toString()) as { holder: unknown; nonce: unknown }
    return { holder: String(holder), nonce: String(nonce) }
  } catch {
    // Not ours: taken over like any that nobody renews.
    return { holder: '?', nonce: '' }
  }
}
