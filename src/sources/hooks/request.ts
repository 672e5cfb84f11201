/** What the types that receive hooks have in common: the hook's URL, its payload, its id, its answers. */
import { fail, isVedetteError } from '../../core/errors.ts'
import { compactJsonBytes, goJsonOfMap } from '../../core/json.ts'
import { MASKED } from '../../source/http.ts'
import type { Emitted, HttpAnswer, HttpRequest } from '../../source.ts'
import { type From, senderKey } from '../payload/sender-id.ts'
import type { WebhookContext } from './webhook-context.ts'

/** The URL that is registered at a provider, as upstream makes it: `url` without slashes at its end, then the endpoint. */
export function hookUrl({ url, endpoint }: Pick<WebhookContext, 'url' | 'endpoint'>): string {
  return `${url.replace(/\/+$/, '')}${endpoint.startsWith('/') ? '' : '/'}${endpoint}`
}

/**
 * Encodes `{"headers":…,"body":…,"metadata":…}` as upstream does; `metadata` is left out when empty.
 * @param key what the type calls the first member. @param masked headers whose values are credentials
 */
export function payloadEncoder(
  key: 'header' | 'headers',
  metadata: Readonly<Record<string, string>> = {},
  masked: readonly string[] = [],
): (request: HttpRequest, body: Uint8Array) => Uint8Array {
  const tail = Buffer.from(Object.keys(metadata).length === 0 ? '}' : `,"metadata":${goJsonOfMap(metadata)}}`)
  return ({ headers }, body) => {
    let shown = headers
    for (const name of masked) if (Object.hasOwn(shown, name)) shown = { ...shown, [name]: [MASKED] }
    return Buffer.concat([Buffer.from(`{"${key}":${goJsonOfMap(shown)},"body":`), body, tail])
  }
}

/**
 * The id of a delivery: what its sender calls it, together with a hash of what it says (a sender may err, and an id that is not
 * signed proves nothing). Undefined without a key.
 * @param from what tells senders apart that may call a delivery the same: a hook, an app, an account
 */
export function deliveryId(key: string | undefined, body: string | Uint8Array, from?: From): string | undefined {
  if (!key) return undefined
  return senderKey(key, body, from)
}

/** The body of a request as raw JSON, for a payload. @throws EVENT_INVALID with the words of upstream's hook types */
export function jsonBody(body: Uint8Array): Uint8Array {
  try {
    return compactJsonBytes(body)
  } catch (error) {
    throw isVedetteError(error, 'EVENT_INVALID') ? fail('EVENT_INVALID', 'invalid event') : error
  }
}

/** Upstream's answer to an event that is durable, with the event's id. */
export const success = ({ id }: Pick<Emitted, 'id'>): HttpAnswer => ({
  status: 200,
  body: 'success',
  headers: { 'X-Event-Id': id },
})

export const unauthorized = (body: string): HttpAnswer => ({ status: 401, body })
