/** What is undone at providers when an EventSource (or an entry of it) is deleted: its hooks, and what a type has beside them. */
import type { KeyValue } from '../../bus/bus.ts'
import { retryForEver } from '../../core/backoff.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Entry, EventSource } from '../../manifest/manifest.ts'
import type { EntryContext, HookRegistration, SourceDefinition } from '../../source.ts'
import { loadSource } from '../../sources/index.ts'
import type { SecretStore } from '../secrets.ts'
import { withLease } from './lease.ts'
import { keysOf, readRecords } from './records.ts'
import { bounded, limitedCalls } from './registrar.ts'

export interface RemovalOptions {
  object: Pick<EventSource, 'namespace' | 'name' | 'entries'>
  /** Values as they were when the object was still there. */
  secrets: SecretStore
  kv: KeyValue | null
  /** Who removes, for people who look at the lease. */
  holder: string
  clock: Clock
  log: Logger
  /** What is wanted now: nothing that an entry of it claims is ended. */
  wanted?: () => Pick<EventSource, 'name' | 'entries'>[]
  /** The entries are still there with other fields: their hooks stay, and what they claim no more is ended. */
  changed?: boolean
  /** Where source modules come from; the registry by default. */
  load?: (type: string) => Promise<SourceDefinition<any, any> | null>
}

const RETRY = { firstMs: 500, maxMs: 10_000 }

/**
 * Undoes everything, entry by entry, and tries again what fails until `signal` aborts. Replicas must have been told to stop.
 * @returns what could not be undone, one text per entry; empty: all is gone. Never rejects
 */
export async function removeRemote(options: RemovalOptions, signal: AbortSignal): Promise<string[]> {
  const { object, clock, log } = options
  const left = await Promise.all(
    object.entries.map(async (entry) => {
      let last = 'there was no time for it'
      try {
        await retryForEver(() => removeEntry(options, entry, signal), {
          ...RETRY,
          clock,
          signal,
          onError: (error) => {
            last = messageOf(error)
          },
        })
        return []
      } catch (error) {
        const text = `${object.name}/${entry.name}: ${signal.aborted ? last : messageOf(error)}`
        log.error('what this entry has at its provider could not be removed: remove it by hand', { error: text })
        return [text]
      }
    }),
  )
  return left.flat()
}

async function removeEntry(options: RemovalOptions, entry: Entry, signal: AbortSignal): Promise<void> {
  const { object, secrets, kv, holder, clock, log, load = loadSource } = options
  const definition = entry.refused === undefined ? await load(entry.type) : null
  if (definition === null || (definition.hooks === undefined && definition.remove === undefined)) return
  const ctx: EntryContext = {
    spec: entry.spec,
    entry: entry.name,
    eventSource: object.name,
    namespace: object.namespace,
    signal,
    log: log.child({ eventSourceName: object.name, eventName: entry.name, eventSourceType: entry.type }),
    clock,
    secret: (selector) => secrets.secret(object.namespace, selector),
    configMap: (selector) => secrets.configMap(object.namespace, selector),
    condition() {},
    skip() {},
  }
  const registration = options.changed ? null : ((await definition.hooks?.(ctx)) ?? null)
  const keys = keysOf(object, entry.name)
  if (registration?.removeOnDelete) {
    const remove = (held: AbortSignal) =>
      removeHooks(registration, { kv, key: keys.records, clock, log: ctx.log }, held)
    if (kv === null) await remove(signal)
    else await withLease({ kv, key: keys.lease, holder, clock }, signal, remove)
  }
  if (definition.remove !== undefined && definition.removes(entry.spec)) {
    const by = await claimant(options, definition, entry)
    if (by === null) await definition.remove(ctx)
    else if (!options.changed) ctx.log.info('what this entry had at its origin stays: another one claims it', { by })
  }
  if (registration !== null && kv !== null) for (const key of Object.values(keys)) await kv.delete(key)
}

/**
 * An entry that is wanted and claims something of what a removed one claimed; or that cannot be understood, so that it may. A changed one may reach
 * the same origin by another address.
 */
async function claimant(
  { object, wanted = () => [], changed = false }: RemovalOptions,
  definition: SourceDefinition<any, any>,
  gone: Entry,
): Promise<string | null> {
  const { claims } = definition
  if (claims === undefined) return null
  const claimed = claims(gone.spec, { eventSource: object.name, entry: gone.name })
  for (const { name: eventSource, entries } of wanted()) {
    for (const entry of entries.filter(({ type }) => type === gone.type)) {
      const by = `${eventSource}/${entry.name}`
      try {
        const theirs = claims(entry.spec, { eventSource, entry: entry.name })
        const same = theirs.some((one) =>
          claimed.some(({ at, name }) => name === one.name && (changed || at === one.at)),
        )
        if (same) return by
      } catch {
        return by
      }
    }
  }
  return null
}

async function removeHooks(
  registration: HookRegistration,
  { kv, key, clock, log }: { kv: KeyValue | null; key: string; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const known = kv === null ? {} : (await readRecords(kv, key)).records.hooks
  const targets = await bounded(clock, signal, (limited) => registration.targets(limited))
  const errors: string[] = []
  for (const target of targets.map((target) => limitedCalls(target, clock))) {
    signal.throwIfAborted()
    try {
      const hooks = await target.list(signal)
      for (const hook of hooks.filter((hook) => target.isOurs(hook) || hook.id === known[target.name]?.id)) {
        await target.delete(hook, signal)
        log.info('hook is removed', { target: target.name, hook: hook.id })
      }
    } catch (error) {
      errors.push(`${target.name}: ${messageOf(error)}`)
    }
  }
  if (errors.length > 0) throw new Error(errors.join('; '))
}
