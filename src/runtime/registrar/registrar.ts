/**
 * The registrar: sees to it that each target of an entry has exactly one hook of ours, whichever replicas come and go. One replica at
 * a time looks, under a short lease; the others see in the store that it did. Runs beside serving and never stops it: what goes
 * wrong is shown in status and tried again, for ever.
 */
import type { KeyValue, SourceRef } from '../../bus/bus.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { isVedetteError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Redact } from '../../core/redact.ts'
import type { HookRegistration, HookTarget } from '../../source.ts'
import { withLease } from './lease.ts'
import { createHasher, type HookRecords, keysOf, readRecords, type Stored, writeRecords } from './records.ts'
import { settle } from './settle.ts'

export interface RegistrarOptions {
  source: SourceRef
  entry: string
  /** Replica id. */
  holder: string
  /** What should be; asked every few seconds, so that a rotated secret is noticed. */
  registration: () => Promise<HookRegistration | null>
  /** Null: there is no store, so replicas only look twice and keep the oldest hook. Secrets made by providers need it. */
  kv: KeyValue | null
  clock: Clock
  random?: () => number
  log: Logger
  /** Of what is remembered on the bus: the errors of providers. */
  redact: Redact
  /** What is wrong; null: nothing (any more). */
  condition: (text: string | null) => void
  /** All hooks are as was wanted at this time, monotonic. */
  onSettled?: (wantedMs: number) => void
}

/** How often what is wanted is compared with what was. */
const LOOK_MS = 5_000
const DEFAULT_EVERY_MS = 60_000
/** One call of a target. */
const CALL_MS = 30_000
/** After a change at the provider: their rate limits count those. */
const AFTER_CHANGE_MS = 500
/** Replicas without a lease wait up to this long before they create. */
const JITTER_MS = 2_000
const RETRY = { firstMs: 1_000, maxMs: 300_000 }

/** Runs until `signal` aborts. Never rejects. */
export async function runRegistrar(options: RegistrarOptions, signal: AbortSignal): Promise<void> {
  const { clock, condition, log, random = Math.random } = options
  const passes = createPasses(options)
  let wanted = ''
  let dueAt = Number.NEGATIVE_INFINITY
  let attempt = 0
  while (!signal.aborted) {
    try {
      const wantedMs = clock.monotonic()
      const registration = await options.registration()
      if (registration === null) return condition(null)
      const now = JSON.stringify(registration.wanted)
      if (now !== wanted || clock.monotonic() >= dueAt) {
        const failed = await passes.run(registration, signal)
        wanted = now
        condition(failed === null ? null : failed.error)
        if (failed === null) options.onSettled?.(wantedMs)
        attempt = failed?.attempt ?? 0
        const pauseMs = failed?.retryMs ?? registration.everyMs ?? DEFAULT_EVERY_MS
        // Not all at the same moment: the first one looks for all.
        dueAt = clock.monotonic() + pauseMs * (1 + 0.2 * random())
      }
      await clock.sleep(Math.min(LOOK_MS, Math.max(0, dueAt - clock.monotonic())), signal)
    } catch (error) {
      if (signal.aborted) return
      log.debug('registering hooks did not work', { error })
      condition(`hooks: ${messageOf(error)}`)
      await clock.sleep(backoffMs(attempt++, RETRY, random), signal).catch(() => {})
    }
  }
}

type Failed = HookRecords['failed']

function createPasses(options: RegistrarOptions) {
  const { source, entry, holder, kv, clock, log, redact, random = Math.random } = options
  const keys = keysOf(source, entry)
  const hash = createHasher()
  /** Passes that this replica knows of. */
  let known = -1
  let alone: Stored | null = null

  const read = async (): Promise<Stored> => {
    if (kv !== null) return await readRecords(kv, keys.records)
    alone ??= { records: { salt: '', passes: 0, wanted: '', failed: null, hooks: {} }, revision: 0 }
    return alone
  }

  /** Another replica has looked since this one did, for the same that is wanted now. */
  const doneMeanwhile = async ({ records }: Stored, registration: HookRegistration): Promise<boolean> => {
    const done =
      records.passes > known && known >= 0 && records.wanted === (await hash(registration.wanted, records.salt))
    known = records.passes
    return done
  }

  const pass = async (registration: HookRegistration, signal: AbortSignal): Promise<Failed> => {
    let stored = await read()
    if (await doneMeanwhile(stored, registration)) return stored.records.failed
    const wanted = await hash(registration.wanted, stored.records.salt)
    const write = async (change: Partial<HookRecords>) => {
      const records = { ...stored.records, ...change }
      stored = kv === null ? { records, revision: 0 } : await writeRecords(kv, keys.records, { ...stored, records })
      if (kv === null) alone = stored
    }
    const errors: string[] = []
    let retryMs = 0
    const targets = await bounded(clock, signal, (limited) => registration.targets(limited))
    for (const target of targets.map((target) => limitedCalls(target, clock))) {
      signal.throwIfAborted()
      const { name } = target
      try {
        const { hook, changed } = await settle(target, {
          known: stored.records.hooks[name],
          wanted,
          signal,
          beforeCreate: kv === null ? () => clock.sleep(random() * JITTER_MS, signal) : null,
          save: async (record) => {
            const before = stored.records.hooks[name]
            if (JSON.stringify(before) === JSON.stringify(record)) return
            await write({ hooks: { ...stored.records.hooks, [name]: record } })
          },
        })
        if (changed) {
          log.info('hook is as wanted', { target: name, hook: hook.id })
          await clock.sleep(AFTER_CHANGE_MS, signal)
        }
        const again = (await target.recover?.(hook, signal)) ?? 0
        if (again > 0) log.warn('deliveries that had failed are asked for again', { target: name, deliveries: again })
      } catch (error) {
        if (signal.aborted || isVedetteError(error, 'LOCK_UNAVAILABLE', 'BUS_UNAVAILABLE', 'OUTCOME_UNKNOWN'))
          throw error
        errors.push(`${name}: ${messageOf(error)}`)
        retryMs = retryAfterMs(error)
        // A rate limit holds for all targets alike.
        if (retryMs > 0) break
      }
    }
    const attempt = (stored.records.failed?.attempt ?? 0) + 1
    const failed =
      errors.length === 0
        ? null
        : { error: redact(summary(errors)), attempt, retryMs: Math.max(retryMs, backoffMs(attempt - 1, RETRY, random)) }
    known = stored.records.passes + 1
    await write({ passes: known, wanted, failed })
    return failed
  }

  return {
    /** @returns what went wrong, in this pass or in that of the replica that was faster. @throws when it could not even be tried */
    async run(registration: HookRegistration, signal: AbortSignal): Promise<Failed> {
      const stored = await read()
      if (known < 0) known = stored.records.passes
      else if (await doneMeanwhile(stored, registration)) return stored.records.failed
      if (kv === null) return await pass(registration, signal)
      const lease = { kv, key: keys.lease, holder, clock }
      return await withLease(lease, signal, (held) => pass(registration, held))
    },
  }
}

const MOST_SHOWN = 3

function summary(errors: string[]): string {
  const more = errors.length > MOST_SHOWN ? `; and ${errors.length - MOST_SHOWN} more` : ''
  return `hooks: ${errors.slice(0, MOST_SHOWN).join('; ')}${more}`
}

function retryAfterMs(error: unknown): number {
  const wait = isVedetteError(error) ? Number(error.details.retryAfterMs ?? 0) : 0
  return Number.isFinite(wait) && wait > 0 ? Math.min(wait, 3_600_000) : 0
}

/** Runs a call of a provider that may not take for ever, also when it does not heed its signal. */
export async function bounded<T>(
  clock: Clock,
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const cancel = clock.after(CALL_MS, () => late.abort(new Error(`no answer within ${CALL_MS / 1000} s`)))
  const limited = AbortSignal.any([signal, late.signal])
  const given = Promise.withResolvers<never>()
  const giveUp = () => given.reject(limited.reason)
  limited.addEventListener('abort', giveUp, { once: true })
  try {
    limited.throwIfAborted()
    return await Promise.race([call(limited), given.promise])
  } finally {
    limited.removeEventListener('abort', giveUp)
    cancel()
  }
}

/** A target whose calls end in time. */
export function limitedCalls(target: HookTarget<any>, clock: Clock): HookTarget<any> {
  const limit =
    <A extends unknown[], T>(call: (...args: [...A, AbortSignal]) => Promise<T>) =>
    (...args: [...A, AbortSignal]): Promise<T> =>
      bounded(clock, args.at(-1) as AbortSignal, (limited) => call(...(args.slice(0, -1) as A), limited))
  const { update, recover } = target
  return {
    ...target,
    list: limit(target.list),
    create: limit(target.create),
    delete: limit(target.delete),
    ...(update === undefined ? {} : { update: limit(update) }),
    ...(recover === undefined ? {} : { recover: limit(recover) }),
  }
}
