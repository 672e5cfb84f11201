import type { PrepareContext } from '../../source.ts'

/** The payload that `make` gives, or null for a message that can never become one; that is counted and shown. */
export function payloadOrSkip(ctx: Pick<PrepareContext, 'skip'>, what: string, make: () => string): string | null {
  try {
    return make()
  } catch (error) {
    ctx.skip(what, error)
    return null
  }
}
