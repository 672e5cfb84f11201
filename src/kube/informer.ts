/**
 * A view of all objects of a kind that lasts: listed once, kept up to date by watches, whatever happens to them. It is level-based: who
 * uses it is told which key changed and looks at what is there now; nothing that happened in between is replayed.
 */
import { backoffMs } from '../core/backoff.ts'
import type { Clock } from '../core/clock.ts'
import { isVedetteError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { KubeClient, Selection } from './client.ts'
import { type KubeObject, keyOf, nameOf, type Resource } from './resources.ts'
import type { WatchEvent } from './watch.ts'

export interface Informer<T extends KubeObject = KubeObject> {
  /** By `namespace/name`, or name for kinds without namespace. Treat as read-only. */
  get(key: string): T | undefined
  values(): Iterable<T>
  /** Those that {@link InformerOptions.index} gives this value for, in no order. */
  indexed(value: string): T[]
  /** Every object that was there at the start has been told. */
  readonly synced: boolean
  /** Resolves when {@link synced}. @throws the signal's reason */
  whenSynced(signal?: AbortSignal): Promise<void>
  /** Why it does not follow the changes at present, or null. */
  readonly trouble: string | null
  /** Calls back with the key of what came, changed or went. @returns unsubscribe */
  onChange(listener: (key: string) => void): () => void
  /** Lists and watches until `signal` aborts; then returns. Never throws. Once only. */
  run(signal: AbortSignal): Promise<void>
}

export interface InformerOptions extends Selection {
  client: Pick<KubeClient, 'list' | 'watch'>
  resource: Resource
  clock: Clock
  log: Logger
  /** What {@link Informer.indexed} finds an object by: one value, or none. */
  index?: ((object: KubeObject) => string | undefined) | undefined
  /** See {@link WatchOptions.silenceMs}. */
  silenceMs?: number | undefined
}

const BACKOFF = { firstMs: 50, maxMs: 10_000 }
/** A stream that lasted so long was a good one. */
const STEADY_MS = 5_000
/** So many streams in a row that gave nothing: the resourceVersion itself may be the reason (a restored etcd knows it not). */
const FRUITLESS = 3

export function createInformer<T extends KubeObject = KubeObject>({
  client,
  resource,
  clock,
  log,
  index = () => undefined,
  silenceMs,
  ...selection
}: InformerOptions): Informer<T> {
  const objects = new Map<string, T>()
  /** Keys by the value of the index. */
  const keysOf = new Map<string, Set<string>>()
  const listeners = new Set<(key: string) => void>()
  const synced = Promise.withResolvers<void>()
  let isSynced = false
  let trouble: string | null = null

  const changed = (key: string) => {
    for (const listener of [...listeners]) listener(key)
  }

  const keep = (object: T) => {
    const key = keyOf(object)
    if (objects.get(key)?.metadata.resourceVersion === object.metadata.resourceVersion) return
    // Nobody here reads it, and it is often half of the object.
    delete object.metadata.managedFields
    forget(key)
    objects.set(key, object)
    const value = index(object)
    if (value !== undefined) keysOf.set(value, (keysOf.get(value) ?? new Set()).add(key))
    changed(key)
  }

  const drop = (key: string) => {
    if (forget(key)) changed(key)
  }

  /** @returns whether it was there */
  const forget = (key: string): boolean => {
    const object = objects.get(key)
    if (object === undefined) return false
    const value = index(object)
    const keys = value === undefined ? undefined : keysOf.get(value)
    keys?.delete(key)
    if (keys?.size === 0) keysOf.delete(value!)
    return objects.delete(key)
  }

  const replaceAll = (items: T[]) => {
    const there = new Set(items.map(keyOf))
    for (const item of items) keep(item)
    for (const key of [...objects.keys()]) if (!there.has(key)) drop(key)
    isSynced = true
    synced.resolve()
  }

  const take = ({ type, object }: WatchEvent<T>) => {
    if (type === 'DELETED') drop(keyOf(object))
    else if (type !== 'BOOKMARK') keep(object)
  }

  const wentWell = () => {
    if (trouble !== null) log.info(`${nameOf(resource)} can be watched again`)
    trouble = null
  }

  return {
    get: (key) => objects.get(key),
    values: () => objects.values(),
    indexed: (value) => [...(keysOf.get(value) ?? [])].map((key) => objects.get(key)!),
    get synced() {
      return isSynced
    },
    whenSynced: (signal) => Promise.race([synced.promise, ...(signal === undefined ? [] : [whenThrown(signal)])]),
    get trouble() {
      return trouble
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async run(signal) {
      let resourceVersion: string | null = null
      let attempt = 0
      while (!signal.aborted) {
        const startedAt = clock.monotonic()
        try {
          if (resourceVersion === null) {
            const list = await client.list<T>(resource, { ...selection, signal })
            replaceAll(list.items)
            resourceVersion = list.resourceVersion
          }
          const from: string = resourceVersion
          for await (const event of client.watch<T>(resource, {
            ...selection,
            resourceVersion: from,
            signal,
            silenceMs,
            onOpen: wentWell,
          })) {
            attempt = 0
            take(event)
            resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion
          }
        } catch (error) {
          if (signal.aborted) return
          if (isVedetteError(error, 'KUBERNETES_GONE')) resourceVersion = null
          else {
            if (trouble === null) log.warn(`cannot watch ${nameOf(resource)}: trying again`, { error })
            trouble = messageOf(error)
          }
        }
        if (clock.monotonic() - startedAt > STEADY_MS) attempt = 0
        if (attempt >= FRUITLESS) resourceVersion = null
        await clock.sleep(backoffMs(attempt++, BACKOFF), signal).catch(() => {})
      }
    },
  }
}

function whenThrown(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
