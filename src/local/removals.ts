/** What is undone at providers when documents, or entries in them, leave the files of a run; never because the run stops. */
import type { KeyValue } from '../bus/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Redactor } from '../core/redact.ts'
import type { Entry, EventSource, Manifest } from '../manifest/manifest.ts'
import { removeRemote } from '../runtime/registrar/remove.ts'
import { hidingSecrets, localSecrets } from '../runtime/secrets.ts'

export interface Removals {
  /** Begins to undo what `before` had and `after` has not, with the Secrets of `before`; of changed entries, what they claimed at their origin. */
  begin(before: Manifest, after: Manifest): void
  /** Gives up what is not done yet; resolves when nothing is under way. */
  stop(): Promise<void>
}

/** What cannot be undone in this time is said and left. */
const PATIENCE_MS = 60_000

export function createRemovals({
  kv,
  secretsDir: dir,
  redactor,
  clock,
  log,
}: {
  kv: KeyValue
  secretsDir: string | undefined
  redactor: Redactor
  clock: Clock
  log: Logger
}): Removals {
  let current: EventSource[] = []
  const underWay = new Set<{ end: AbortController; done: Promise<unknown> }>()
  return {
    begin(before, after) {
      const secrets = hidingSecrets(localSecrets({ ...before, dir }), redactor)
      // Also for what is still under way: an entry may be back.
      current = after.eventSources
      const removed = removedFrom(before, after).map((object) => ({ object, changed: false }))
      const altered = changedIn(before, after).map((object) => ({ object, changed: true }))
      for (const one of [...removed, ...altered]) {
        const end = new AbortController()
        const cancel = clock.after(PATIENCE_MS, () => end.abort())
        const done = removeRemote(
          { ...one, wanted: () => current, secrets, kv, holder: 'supervisor', clock, log },
          end.signal,
        )
        const removal = { end, done }
        underWay.add(removal)
        void done.then(() => {
          cancel()
          underWay.delete(removal)
        })
      }
    },
    async stop() {
      for (const { end } of underWay) end.abort()
      await Promise.all([...underWay].map(({ done }) => done))
    },
  }
}

/** Objects with those of their entries that are gone; one whose type has changed is another entry. */
export function removedFrom(before: Manifest, after: Manifest): EventSource[] {
  const left = entriesOf(after)
  return withEntries(before, (key) => !left.has(key))
}

/** Objects, as they were, with those of their entries that are there with other fields. */
export function changedIn(before: Manifest, after: Manifest): EventSource[] {
  const now = entriesOf(after)
  return withEntries(before, (key, spec) => now.has(key) && now.get(key) !== JSON.stringify(spec))
}

const keyOf = ({ namespace, name }: EventSource, entry: Entry) =>
  JSON.stringify([namespace, name, entry.type, entry.name])

/** The spec of each, as text. */
const entriesOf = ({ eventSources }: Manifest) =>
  new Map(
    eventSources.flatMap((object) =>
      object.entries.map((entry) => [keyOf(object, entry), JSON.stringify(entry.spec)] as const),
    ),
  )

function withEntries({ eventSources }: Manifest, meant: (key: string, spec: unknown) => boolean): EventSource[] {
  return eventSources.flatMap((object) => {
    const entries = object.entries.filter((entry) => meant(keyOf(object, entry), entry.spec))
    return entries.length === 0 ? [] : [{ ...object, entries }]
  })
}
