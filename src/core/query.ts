/** Query strings and form bodies, as Go's `url.ParseQuery` reads them. */
import { utf8FromLatin1 } from './utf8.ts'

export interface Query {
  /** Values in order of arrival, by key. */
  values: Map<string, string[]>
  /** Go's message for the first pair that was left out, or null. */
  error: string | null
}

/** Go's limit: more pairs than this are refused before any is read. */
const MAX_PAIRS = 10_000

/** @param text characters stand for bytes (`latin1`), percent-encoded or not; pairs that are malformed are left out */
export function parseQuery(text: string): Query {
  const query: Query = { values: new Map(), error: null }
  const pairs = text.split('&', MAX_PAIRS + 1)
  if (pairs.length > MAX_PAIRS) {
    query.error = 'number of URL query parameters exceeded limit'
    return query
  }
  for (const pair of pairs) {
    if (pair === '') continue
    if (pair.includes(';')) {
      query.error = 'invalid semicolon separator in query'
      continue
    }
    const equals = pair.indexOf('=')
    const key = unescapeComponent(equals < 0 ? pair : pair.slice(0, equals), query)
    const value = key === null ? null : unescapeComponent(equals < 0 ? '' : pair.slice(equals + 1), query)
    if (key === null || value === null) continue
    const values = query.values.get(key)
    if (values === undefined) query.values.set(key, [value])
    else values.push(value)
  }
  return query
}

/** One component decoded; null and the first error noted when an escape is malformed. */
function unescapeComponent(text: string, query: Query): string | null {
  const malformed = /%(?![0-9A-Fa-f]{2})/.exec(text)
  if (malformed !== null) {
    query.error ??= `invalid URL escape ${JSON.stringify(text.slice(malformed.index, malformed.index + 3))}`
    return null
  }
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return utf8FromLatin1(bytes)
}
