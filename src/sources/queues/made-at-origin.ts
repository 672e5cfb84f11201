/**
 * What an entry has made at its origin and that stays there (filters of a session, bindings of a queue), remembered beside its position: what
 * the changed entry wants no more is ended by whoever serves next, before it begins.
 */
import { messageOf } from '../../core/errors.ts'
import type { ServeContext } from '../../source.ts'

interface Record {
  /** Where and under which name; what was made elsewhere is of no concern. */
  scope: string
  made: string[]
}

/** Begins to read what was made, while the origin is being connected to: a leader is waited for. */
export function recall({ snapshot }: Pick<ServeContext, 'snapshot'>): Promise<Uint8Array | null> {
  const recalled = snapshot.load()
  recalled.catch(() => {})
  return recalled
}

/**
 * Call it before anything of `wanted` is made. What cannot be ended is logged and tried again by the next who serves; it holds nobody up.
 * @param recalled of {@link recall}
 * @param scope origin, and the name of what it keeps
 * @param end ends one that was made and is not wanted
 */
export async function endWhatIsNotWanted(
  { snapshot, log }: Pick<ServeContext, 'snapshot' | 'log'>,
  { recalled, scope, wanted }: { recalled: Promise<Uint8Array | null>; scope: string; wanted: string[] },
  end: (made: string) => Promise<unknown>,
): Promise<void> {
  const made = madeIn(await recalled, scope)
  const left = new Set([...made, ...wanted])
  const save = () => snapshot.save(Buffer.from(JSON.stringify({ scope, made: [...left] } satisfies Record)))
  // Before it is made: a process may die at any moment.
  if (left.size > made.length) await save()
  const gone = made.filter((one) => !wanted.includes(one))
  for (const one of gone) {
    try {
      await end(one)
      left.delete(one)
      log.info('what the entry wants no more is ended at its origin', { at: scope, ended: one })
    } catch (error) {
      log.warn('what the entry wants no more could not be ended at its origin', { at: scope, error: messageOf(error) })
    }
  }
  if (gone.length > 0) await save()
}

function madeIn(bytes: Uint8Array | null, scope: string): string[] {
  try {
    const { scope: of, made } = JSON.parse(Buffer.from(bytes ?? []).toString()) as Partial<Record>
    return of === scope && Array.isArray(made) ? made.filter((one) => typeof one === 'string') : []
  } catch {
    // None, or that of another type which had the entry's name.
    return []
  }
}
