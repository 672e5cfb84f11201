/** The request as a source sees it. Made lazily: most sources need neither the URL nor the whole header map. */
import { utf8FromLatin1 } from '../../core/utf8.ts'
import { MASKED } from '../../source/http.ts'
import type { HttpRequest } from '../../source.ts'

/** Go's server takes these out of the map. */
const NOT_IN_MAP = new Set(['Host', 'Transfer-Encoding', 'Trailer'])
/** Distinct header names remembered; senders can make up any number. */
const MAX_NAMES = 1000

/** Header names as Go writes them (`X-Github-Event`), remembered; empty for those that are not in the map. */
export function createCanonicalNames(): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    let canonical = known.get(name)
    if (canonical === undefined) {
      canonical = name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
      if (NOT_IN_MAP.has(canonical)) canonical = ''
      if (known.size < MAX_NAMES && name.length <= 64) known.set(name, canonical)
    }
    return canonical
  }
}

export class ReceivedRequest implements HttpRequest {
  readonly method: string
  readonly body: Buffer
  readonly params: Record<string, string>
  readonly #target: string
  readonly #raw: readonly string[]
  readonly #canonical: (name: string) => string
  #url: URL | undefined
  #headers: Record<string, string[]> | undefined
  /** See {@link proved}. */
  isProved = false

  /** @param target path and query; @param raw names and values in turn, characters standing for bytes */
  constructor(
    method: string,
    target: string,
    raw: readonly string[],
    body: Buffer,
    params: Record<string, string>,
    canonical: (name: string) => string,
  ) {
    this.method = method
    this.body = body
    this.params = params
    this.#target = target
    this.#raw = raw
    this.#canonical = canonical
  }

  get url(): URL {
    // A server knows no fragments: `#` is part of the path or query.
    this.#url ??= new URL(`http://localhost${utf8FromLatin1(this.#target).replaceAll('#', '%23')}`)
    return this.#url
  }

  get headers(): Record<string, string[]> {
    this.#headers ??= headerMap(this.#raw, this.#canonical)
    return this.#headers
  }

  proved(): void {
    this.isProved = true
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase()
    const raw = this.#raw
    for (let i = 0; i < raw.length; i += 2) {
      const candidate = raw[i]!
      if (candidate.length === wanted.length && candidate.toLowerCase() === wanted) return utf8FromLatin1(raw[i + 1]!)
    }
    return undefined
  }
}

/** The header map of payloads, as upstream's Go server makes it, keys sorted bytewise. */
function headerMap(raw: readonly string[], canonical: (name: string) => string): Record<string, string[]> {
  const map = new Map<string, string[]>()
  for (let i = 0; i < raw.length; i += 2) {
    const name = canonical(raw[i]!)
    if (name === '') continue
    const value = utf8FromLatin1(raw[i + 1]!)
    const values = map.get(name)
    if (values === undefined) map.set(name, [value])
    else values.push(value)
  }
  if (map.get('Authorization')?.some((value) => value !== '')) map.set('Authorization', [MASKED])
  if (map.get('Pragma')?.[0] === 'no-cache' && !map.has('Cache-Control')) map.set('Cache-Control', ['no-cache'])
  const headers: Record<string, string[]> = {}
  for (const name of [...map.keys()].sort()) {
    if (name === '__proto__') Object.defineProperty(headers, name, { value: map.get(name), enumerable: true })
    else headers[name] = map.get(name)!
  }
  return headers
}
