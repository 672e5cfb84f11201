/** The media types that providers send, by the header `Content-Type`. */
import type { HttpRequest } from '../../source.ts'

export const JSON_TYPE = 'application/json'
export const FORM_TYPE = 'application/x-www-form-urlencoded'

/** The media type of a request, lower case and without parameters; empty when there is none. */
export function mediaType(request: Pick<HttpRequest, 'header'>): string {
  return (request.header('Content-Type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/**
 * True for a form. `Content-Type` is not signed: JSON that is called a form would be read as the fields that somebody wrote into one of its
 * texts (`…&payload={…}`), so what begins as an object is none.
 */
export const isForm = (request: Pick<HttpRequest, 'header' | 'body'>): boolean =>
  mediaType(request) === FORM_TYPE && request.body[0] !== 0x7b
