/** The hooks that an entry wants at a provider, for the registrar: `runtime/registrar/`. */

/** The hooks of an entry, as they should be now. */
export interface HookRegistration {
  /**
   * Everything that decides what the hooks look like, secrets included, as JSON. When it changes, hooks are updated within
   * seconds. Kept only as a salted, slow hash.
   */
  wanted: unknown
  /** The places where a hook should be; may ask the provider (the repositories of a project…). @throws as {@link HookTarget.list} */
  targets(signal: AbortSignal): Promise<HookTarget<any>[]>
  /** How often existing hooks are looked at, milliseconds. Default 60 s. */
  everyMs?: number
  /** Remove the hooks when the EventSource is deleted. */
  removeOnDelete: boolean
}

/** A hook (webhook, subscription…) as its provider lists it; a provider's own type has more. */
export interface Hook {
  /** The provider's id; of two hooks the one made first is kept: by `createdMs`, else by the smaller id. */
  id: string
  /** Milliseconds since the epoch. */
  createdMs?: number
}

/**
 * One place at a provider where the entry wants exactly one hook. Its functions make one request each (`list`: one per page) and throw
 * whatever went wrong: the registrar tries again with growing pauses, for ever, and not before `details.retryAfterMs` of a
 * {@link VedetteError} (the provider's Retry-After) has passed. The signal aborts when the entry stops or the registrar's lease is lost.
 */
export interface HookTarget<H extends Hook = Hook> {
  /** Names the place within the entry, for status, logs and the bus's records: `repos/acme/shop`. */
  name: string
  /** All hooks of the place, every page, also those of others. */
  list(signal: AbortSignal): Promise<H[]>
  /** Whether a listed hook is one of this entry: by its URL. */
  isOurs(hook: H): boolean
  /** False when what the provider shows of our hook is not what is wanted (events, active…): it is updated. */
  isCurrent(hook: H): boolean
  /** Makes the hook. @returns it, and the secret if the provider made one */
  create(signal: AbortSignal): Promise<{ hook: H; secret?: string }>
  /** Makes our hook as wanted, secret included. Left out: hooks of this provider cannot be changed, so it is replaced. */
  update?(hook: H, signal: AbortSignal): Promise<void>
  /** Deletes a hook of ours; one that is gone already is no error. */
  delete(hook: H, signal: AbortSignal): Promise<void>
  /** Asks the provider to send again what it could not hand over lately. Called at each look. @returns how many. @throws why it sends nothing */
  recover?(hook: H, signal: AbortSignal): Promise<number>
  /** True when the provider makes the secret and shows it only at creation: a hook whose secret is not known is replaced. */
  secretAtCreation?: boolean
}
