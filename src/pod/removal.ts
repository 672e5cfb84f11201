/** What the Job of a deleted EventSource does: undoes what its entries have at providers, once, with the Secrets of its Pod. */
import { retryForEver } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Entry, EventSource } from '../manifest/manifest.ts'
import type { SecretStore } from '../runtime/secrets.ts'
import type { PrepareContext, SourceDefinition } from '../source.ts'
import { loadSource } from '../sources/index.ts'

export interface RemovalOptions {
  source: EventSource
  secrets: SecretStore
  clock: Clock
  log: Logger
  /** Where source modules come from; the registry by default. */
  load?: (type: string) => Promise<SourceDefinition<any, any> | null>
}

const RETRY = { firstMs: 500, maxMs: 10_000 }

/**
 * Entry by entry, side by side; what fails is tried again until `signal` aborts. Replicas must have stopped.
 * @returns what could not be undone, one text per entry; empty: all is gone. Never rejects
 */
export async function removeRemote(options: RemovalOptions, signal: AbortSignal): Promise<string[]> {
  const { source, clock } = options
  const left = await Promise.all(
    source.entries.map(async (entry) => {
      let last = 'there was no time for it'
      const onError = (error: unknown) => {
        last = messageOf(error)
      }
      try {
        await retryForEver(() => removeEntry(options, entry, signal), { ...RETRY, clock, signal, onError })
        return []
      } catch {
        return [`${source.name}/${entry.name}: ${last}`]
      }
    }),
  )
  return left.flat()
}

async function removeEntry(
  { source, secrets, clock, log, load = loadSource }: RemovalOptions,
  entry: Entry,
  signal: AbortSignal,
) {
  // One that could never serve has nothing anywhere.
  const definition = entry.refused === undefined ? await load(entry.type) : null
  if (definition?.remove === undefined) return
  const fields = { eventSourceName: source.name, eventName: entry.name, eventSourceType: entry.type }
  const context: PrepareContext = {
    spec: entry.spec,
    entry: entry.name,
    eventSource: source.name,
    namespace: source.namespace,
    signal,
    log: log.child(fields),
    clock,
    secret: (selector) => secrets.secret(source.namespace, selector),
    configMap: (selector) => secrets.configMap(source.namespace, selector),
    condition() {},
  }
  await definition.remove(context)
  log.info('removed at its provider', fields)
}
