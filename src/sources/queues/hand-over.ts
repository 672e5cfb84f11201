/** What becomes of a message, in one place for all origins that want to know. */
import type { Emit, EntryContext, Item, ServeContext } from '../../source.ts'

/** `published`: acknowledge it. `rejected`: it can never become an event; reject it to where the origin keeps such, if it has a place. */
export type Handed = 'published' | 'rejected'

/**
 * Makes an event of a message and hands it over. Resolves when the origin may be told; what can never be stored, or of which no event can
 * be made, has then been counted, logged and shown, and the position is beyond it.
 * @throws what `emit` and `advance` throw: tell the origin nothing
 */
export async function handOver<Position>(
  ctx: Pick<ServeContext<any, Position>, 'emit' | 'advance' | 'skip'>,
  item: Item,
  event: Omit<Emit<Position>, 'data' | 'item'>,
  payload: () => string | Uint8Array,
): Promise<Handed> {
  const data = payloadOrSkip(ctx, item, payload)
  if (data === null) {
    if (event.position !== undefined) await ctx.advance(event.position, event.consumed)
    return 'rejected'
  }
  const { outcome } = await ctx.emit({ ...event, data, item })
  return outcome === 'skipped' ? 'rejected' : 'published'
}

/** The payload that `make` gives, or null for an item that can never become an event; that is counted, logged and shown. */
export function payloadOrSkip<Payload extends string | Uint8Array>(
  ctx: Pick<EntryContext, 'skip'>,
  { what, fate }: Item,
  make: () => Payload,
): Payload | null {
  try {
    return make()
  } catch (error) {
    ctx.skip(what, error, fate)
    return null
  }
}
