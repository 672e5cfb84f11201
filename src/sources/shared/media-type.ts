/** The media types that providers send, by the header `Content-Type`. */
import type { HttpRequest } from '../../source.ts'

export const JSON_TYPE = 'application/json'
export const FORM_TYPE = 'application/x-www-form-urlencoded'

/** The media type of a request, lower case and without parameters; empty when there is none. */
export function mediaType(request: Pick<HttpRequest, 'header'>): string {
  return (request.header('Content-Type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}
