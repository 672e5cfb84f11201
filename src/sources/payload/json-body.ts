/** `jsonBody`: how a message's bytes stand in the payload. */
import { z } from 'zod'
import { compactJson, goJson, type RawJson, sortedMap } from '../../core/json.ts'

export const jsonBodySchema = z
  .boolean()
  .default(false)
  .describe('The message is JSON and goes into the payload as it stands. Otherwise `body` is its base64 text.')

/** For {@link payloadOf}. @throws EVENT_INVALID with Go's words when it should be JSON and is not */
export function bodyOf(bytes: Uint8Array, jsonBody: boolean): Uint8Array | RawJson {
  return jsonBody ? compactJson(bytes) : bytes
}

/** The same for an origin in whose protocol empty and absent are one: Go's nil slice, which becomes `null` either way. */
export function bodyOrNull(bytes: Uint8Array, jsonBody: boolean): Uint8Array | RawJson | null {
  return bytes.length === 0 ? null : bodyOf(bytes, jsonBody)
}

/** The payload: its members in their order, and `metadata` when there is any. */
export function payloadOf(members: Record<string, unknown>, metadata: Record<string, string> | undefined): string {
  const given = metadata !== undefined && Object.keys(metadata).length > 0
  return goJson(given ? { ...members, metadata: sortedMap(metadata) } : members)
}
