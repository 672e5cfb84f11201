/** The body of a GitHub delivery, as upstream puts it into the payload: decoded into Go maps and encoded again, with two more keys. */
import { fail, messageOf } from '../../core/errors.ts'
import { goJson, goValue } from '../../core/json.ts'
import { scanJson } from '../../core/json-scan.ts'
import { parseQuery } from '../../core/query.ts'
import type { HttpRequest } from '../../source.ts'
import { isForm } from '../http/media-type.ts'

/**
 * The object that GitHub sent (as JSON, or in the form field `payload`) with `X-GitHub-Event` and `X-GitHub-Delivery` added. Keys are
 * sorted, numbers are those of a 64-bit float, of duplicate keys the last one counts.
 * @throws EVENT_INVALID in Go's words
 */
export function githubBody(request: HttpRequest): Uint8Array {
  const bytes = isForm(request)
    ? Buffer.from(parseQuery(request.body.toString('latin1')).values.get('payload')?.[0] ?? '')
    : request.body
  const { error } = scanJson(bytes)
  if (error !== null) throw fail('EVENT_INVALID', error)
  const value: unknown = JSON.parse(bytes.toString())
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const kind =
      value === null
        ? 'null'
        : Array.isArray(value)
          ? 'array'
          : value === true || value === false
            ? 'bool'
            : typeof value
    throw fail('EVENT_INVALID', `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`)
  }
  try {
    const body = goValue(value) as Map<string, unknown>
    body.set('X-GitHub-Event', request.header('X-GitHub-Event') ?? '')
    body.set('X-GitHub-Delivery', request.header('X-GitHub-Delivery') ?? '')
    return Buffer.from(goJson(body))
  } catch (error) {
    // Nested more deeply than this process can follow; GitHub's payloads have a dozen levels.
    if (error instanceof RangeError) throw fail('EVENT_INVALID', `json: exceeded max depth (${messageOf(error)})`)
    throw error
  }
}
