/** Terms on a log that holds several EventSources: those of each rise. */
import type { Logged } from '../faults/stream-log.ts'
import { assertTermsRise } from '../faults/terms.ts'

/** @throws when one does not. @returns how many terms wrote */
export function termsRise(events: readonly Logged[]): number {
  const written = events.filter(({ term }) => term !== null)
  const bySource = Map.groupBy(written, ({ namespace, subject }) => `${namespace}/${subject.split('.')[1]}`)
  let terms = 0
  for (const own of bySource.values()) terms += assertTermsRise(own).size
  return terms
}
