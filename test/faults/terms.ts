/** The fence, looked for on the log itself: no write of an older term after one of a newer term. */
import assert from 'node:assert/strict'
import { openStoreReadOnly } from '../../src/bus/embedded/readonly.ts'

/** An event's place on the log, and the term that wrote it. */
export interface OfTerm {
  seq: number
  term?: number | null | undefined
}

/** @param events of active-passive entries, in the order of the log. @returns each term that wrote, with how many events */
export function assertTermsRise(events: Iterable<OfTerm>): Map<number, number> {
  const terms = new Map<number, number>()
  let latest = 0
  for (const { seq, term } of events) {
    assert.ok(term != null, `event ${seq} has no term`)
    assert.ok(term >= latest, `event ${seq} of term ${term} was accepted after one of term ${latest}`)
    latest = term
    terms.set(term, (terms.get(term) ?? 0) + 1)
  }
  return terms
}

/** The events of a run that has ended, from its store. */
export async function storedIn(dataDir: string, eventSource: string): Promise<OfTerm[]> {
  const store = await openStoreReadOnly(dataDir)
  const events: OfTerm[] = []
  try {
    for await (const { seq, term } of store.read({ eventSource })) events.push({ seq, term })
  } finally {
    await store.close()
  }
  return events
}
