/**
 * The few Kubernetes verbs that Vedette needs, on any kind of object. Every call throws, beside what is said there, `KUBERNETES_UNAVAILABLE` (wait and try
 * again), `KUBERNETES_FORBIDDEN` (the message names the Role), `KUBERNETES_INVALID`, and for changes `OUTCOME_UNKNOWN` when no answer came.
 */
import { type Clock, systemClock } from '../core/clock.ts'
import { isVedetteError } from '../core/errors.ts'
import type { KubeConfiguration } from './configuration.ts'
import { apiVersionOf, type KubeObject, type Resource } from './resources.ts'
import { type CallOptions, kubeTransport, type Transport } from './transport.ts'
import { type WatchEvent, type WatchOptions, watch } from './watch.ts'

export interface Place {
  /** Left out: the client's own namespace; not used for kinds without one. */
  namespace?: string | undefined
  name: string
}

export interface Selection {
  /** Left out: all namespaces. */
  namespace?: string | undefined
  /** `app=x,tier!=y` */
  labelSelector?: string
  /** `metadata.name=x` */
  fieldSelector?: string
}

export interface ListOptions extends Selection {
  /** Objects per page. */
  pageSize?: number
  /** As they were at this resourceVersion, not as they are now. @throws KUBERNETES_GONE when that is no longer known */
  at?: string
  /** Only so many, from the first page. */
  most?: number
  signal?: AbortSignal | undefined
}

export interface ListResult<T> {
  items: T[]
  /** From where a watch goes on. */
  resourceVersion: string
}

export interface ChangeOptions {
  signal?: AbortSignal | undefined
  /** How long the answer may take, milliseconds. */
  timeoutMs?: number
}

export interface ApplyOptions extends ChangeOptions {
  /** Who owns the fields that are set (`fieldManager`). */
  manager: string
  /** Takes fields over from other managers; without it that is a KUBERNETES_CONFLICT. Default true, as a controller needs it. */
  force?: boolean
  /** Everything is checked, by admission too, and nothing is changed. Default false. */
  dryRun?: boolean
}

export interface DeleteOptions extends ChangeOptions {
  /** What becomes of the objects that this one owns. Default `Background`. */
  propagation?: 'Background' | 'Foreground' | 'Orphan'
  /** Only this very object, not one made anew under its name; else KUBERNETES_CONFLICT. */
  uid?: string | undefined
}

export interface KubeClient {
  /** Of the Pod, or of the kubeconfig's context. */
  readonly namespace: string
  /** @returns null when it is not there */
  get<T extends KubeObject = KubeObject>(resource: Resource, place: Place, options?: ChangeOptions): Promise<T | null>
  /** All of them, read page by page from one moment. */
  list<T extends KubeObject = KubeObject>(resource: Resource, options?: ListOptions): Promise<ListResult<T>>
  /** One stream of changes; it ends after some minutes, see watch.ts. For a view that lasts: informer.ts. @throws KUBERNETES_GONE */
  watch<T extends KubeObject = KubeObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>>
  /** @throws KUBERNETES_CONFLICT when there is one of that name */
  create<T extends KubeObject>(resource: Resource, object: T, options?: ChangeOptions): Promise<T>
  /**
   * Replaces it, if its `metadata.resourceVersion` is still the one given.
   * @returns null when it is no longer there. @throws KUBERNETES_CONFLICT
   */
  update<T extends KubeObject>(resource: Resource, object: T, options?: ChangeOptions): Promise<T | null>
  /** Server-side apply: the fields that `object` names become so, whether it was there or not. @throws KUBERNETES_CONFLICT */
  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T>
  /** The same for its `status`. @returns null when it is not there. @throws KUBERNETES_CONFLICT */
  applyStatus<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T | null>
  /** @returns false when it was not there. @throws KUBERNETES_CONFLICT */
  delete(resource: Resource, place: Place, options?: DeleteOptions): Promise<boolean>
  /** Ends every connection. */
  close(): Promise<void>
}

const PAGE = 500
const LIST_MS = 60_000

export function createKubeClient(configuration: KubeConfiguration, clock: Clock = systemClock): KubeClient {
  const transport = kubeTransport(configuration, clock)
  const { namespace } = transport
  const at = (resource: Resource, place: Partial<Place>) => ({
    resource,
    ...(resource.namespaced ? { namespace: place.namespace ?? namespace } : {}),
    name: place.name,
  })

  const applied = async (
    resource: Resource,
    object: KubeObject,
    { manager, force = true, dryRun = false, ...options }: ApplyOptions,
    subresource?: string,
  ) =>
    await transport.call(
      { verb: 'patch', ...at(resource, object.metadata), subresource, owner: object.metadata.ownerReferences?.[0] },
      {
        ...options,
        body: object,
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: manager, force, dryRun: dryRun ? 'All' : undefined },
      },
    )

  return {
    namespace,
    get: (resource, place, options) => transport.call({ verb: 'get', ...at(resource, place) }, options),
    list: (resource, options = {}) => listAll(transport, resource, options),
    watch: (resource, options) => watch(transport, clock, resource, options),
    create(resource, object, options) {
      const { namespace } = at(resource, object.metadata)
      return transport.call({ verb: 'create', resource, namespace }, { ...options, body: object })
    },
    update: (resource, object, options) =>
      transport.call({ verb: 'update', ...at(resource, object.metadata) }, { ...options, body: object }),
    apply: (resource, object, options) => applied(resource, object, options),
    applyStatus: (resource, object, options) => applied(resource, object, options, 'status'),
    async delete(resource, place, { propagation = 'Background', uid, ...options } = {}) {
      const body = {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: propagation,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      }
      return (await transport.call({ verb: 'delete', ...at(resource, place) }, { ...options, body })) !== null
    },
    close: () => transport.close(),
  }
}

/** Lists do not say the kind of each item: the list says it once. */
async function listAll<T extends KubeObject>(
  transport: Transport,
  resource: Resource,
  {
    namespace,
    labelSelector,
    fieldSelector,
    pageSize = PAGE,
    at,
    most = Number.POSITIVE_INFINITY,
    signal,
  }: ListOptions,
): Promise<ListResult<T>> {
  const call = { verb: 'list', resource, ...(resource.namespaced ? { namespace } : {}) } as const
  const page = (limit: number | undefined, next: string): Promise<any> => {
    const moment = at !== undefined && next === '' ? { resourceVersion: at, resourceVersionMatch: 'Exact' } : {}
    const query: CallOptions['query'] = { labelSelector, fieldSelector, limit, continue: next, ...moment }
    return transport.call(call, { signal, timeoutMs: LIST_MS, query })
  }
  const all = async (limit: number | undefined): Promise<ListResult<T>> => {
    const items: T[] = []
    for (let next = ''; ; ) {
      const { items: some, metadata, kind: list } = await page(limit, next)
      const kind = resource.kind || String(list ?? '').replace(/List$/, '')
      for (const item of some ?? []) items.push({ apiVersion: apiVersionOf(resource), kind, ...item })
      next = metadata?.continue ?? ''
      if (next === '' || items.length >= most) return { items, resourceVersion: metadata?.resourceVersion ?? '' }
    }
  }
  try {
    return await all(pageSize)
  } catch (error) {
    // So many, or so slow, that the moment they are read from is no longer kept: then all in one answer.
    if (isVedetteError(error, 'KUBERNETES_GONE') && at === undefined) return await all(undefined)
    throw error
  }
}
