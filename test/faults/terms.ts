/** The fence, looked for on the log itself: no write of an older term after one of a newer term. */
import assert from 'node:assert/strict'
import { openStoreReadOnly } from '../../src/bus/embedded/readonly.ts'

/** Reads the store of a run that has ended. @returns each term that wrote, with how many events */
export async function assertTermsRise(dataDir: string, eventSource: string): Promise<Map<number, number>> {
  const store = await openStoreReadOnly(dataDir)
  const terms = new Map<number, number>()
  try {
    let latest = 0
    for await (const { seq, term } of store.read({ eventSource })) {
      assert.ok(term !== undefined, `event ${seq} has no term`)
      assert.ok(term >= latest, `event ${seq} of term ${term} was accepted after one of term ${latest}`)
      latest = term
      terms.set(term, (terms.get(term) ?? 0) + 1)
    }
  } finally {
    await store.close()
  }
  return terms
}
