/** Brings one target to exactly one hook of ours, as wanted. Knows no lease and no store. */
import type { Hook, HookTarget } from '../../source.ts'
import type { HookRecord } from './records.ts'

export interface Settling {
  /** What is remembered of the target. */
  known: HookRecord | undefined
  /** Hash of what is wanted. */
  wanted: string
  signal: AbortSignal
  /** Waited for between "there is none" and making one; replicas without a lease wait for a random time, then look again. */
  beforeCreate: (() => Promise<void>) | null
  /** Remembers a hook at once: a secret that only its creation shows must not be lost with this process. */
  save: (record: HookRecord) => Promise<void>
}

/**
 * Lists, makes what is missing, lists again, keeps the oldest of ours, deletes the others, updates the one kept when it is not as
 * wanted. @returns the one kept, and whether something was changed at the provider. @throws what the provider threw
 */
export async function settle<H extends Hook>(
  target: HookTarget<H>,
  settling: Settling,
): Promise<{ hook: H; changed: boolean }> {
  const { known, wanted, signal, beforeCreate, save } = settling
  const list = async () => {
    const hooks = await target.list(signal)
    signal.throwIfAborted()
    return hooks.filter((hook) => target.isOurs(hook) || hook.id === known?.id).sort(olderFirst)
  }
  const usable = (hook: H) => !target.secretAtCreation || (hook.id === known?.id && known.secret !== undefined)
  const asWanted = (hook: H) => known?.id === hook.id && known.wanted === wanted && target.isCurrent(hook)

  let ours = await list()
  let kept = ours.find(usable)
  if (kept === undefined && beforeCreate !== null) {
    await beforeCreate()
    ours = await list()
    kept = ours.find(usable)
  }
  let made: HookRecord | undefined
  if (kept === undefined || (target.update === undefined && !asWanted(kept))) {
    const { hook, secret } = await target.create(signal)
    made = { id: hook.id, wanted, ...(secret === undefined ? {} : { secret }) }
    await save(made)
    const listed = await list()
    // A list may lag behind: what was just made exists.
    ours = listed.some(({ id }) => id === hook.id) ? listed : [...listed, hook]
    // A hook that cannot be changed, or not be adopted, gives way to the new one; else the oldest stays, whoever made it.
    kept = kept === undefined && !target.secretAtCreation ? ours[0]! : hook
  }
  const { id } = kept
  const surplus = ours.filter((hook) => hook.id !== id)
  for (const hook of surplus) await target.delete(hook, signal)
  const current = made?.id === id || asWanted(kept)
  if (!current) await target.update?.(kept, signal)
  const secret = [made, known].find((record) => record?.id === id)?.secret
  await save({ id, wanted, ...(secret === undefined ? {} : { secret }) })
  return { hook: kept, changed: made !== undefined || surplus.length > 0 || !current }
}

/** By creation, else by id: numbers by value, as providers count. */
export function olderFirst(a: Hook, b: Hook): number {
  if (a.createdMs !== undefined && b.createdMs !== undefined && a.createdMs !== b.createdMs) {
    return a.createdMs - b.createdMs
  }
  if (/^\d+$/.test(a.id) && /^\d+$/.test(b.id) && a.id.length !== b.id.length) return a.id.length - b.id.length
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
