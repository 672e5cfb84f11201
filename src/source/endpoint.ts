/** Endpoints of HTTP entries, matched as upstream's router does (gorilla/mux 1.8.1): exact, with `{var}` and `{var:regexp}`. */
import { posix } from 'node:path'
import { RE2JS } from 're2js'
import { fail, messageOf } from '../core/errors.ts'
import { percentDecoded } from '../core/percent.ts'

export interface Endpoint {
  /** True when it has no `{…}`: it matches exactly its own text. */
  literal: boolean
  /** The values of the variables, or null when `path` (decoded, clean) is another one. */
  match(path: string): Record<string, string> | null
}

/** Compiles an endpoint. Matching is linear in the path's length whatever the regexp. @throws SPEC_INVALID when it can match nothing */
export function parseEndpoint(endpoint: string): Endpoint {
  const invalid = (why: string, remedy: string) =>
    fail('SPEC_INVALID', `endpoint ${JSON.stringify(endpoint)} ${why}: ${remedy}`)
  if (!endpoint.startsWith('/')) {
    throw invalid('does not begin with / and can never match a request', `write /${endpoint}`)
  }
  const braces = bracesOf(endpoint)
  if (braces === null) throw invalid('has unbalanced braces', 'write {name} or {name:regexp}')
  if (braces.length === 0) {
    const [bare = ''] = endpoint.split(/[?#]/, 1)
    if (bare !== endpoint) throw invalid('can never match: the path of a request ends before ? and #', `write ${bare}`)
    const decoded = percentDecoded(endpoint)
    if (decoded !== endpoint) throw invalid('can never match: it is compared with the decoded path', `write ${decoded}`)
    const clean = cleanPath(endpoint)
    if (clean !== endpoint)
      throw invalid('can never match: requests are redirected to the clean path', `write ${clean}`)
    return { literal: true, match: (path) => (path === endpoint ? {} : null) }
  }
  let source = '^'
  let end = 0
  const names: string[] = []
  for (const [from, to] of braces) {
    const inner = endpoint.slice(from + 1, to - 1)
    const colon = inner.indexOf(':')
    const name = colon < 0 ? inner : inner.slice(0, colon)
    const pattern = colon < 0 ? '[^/]+' : inner.slice(colon + 1)
    if (name === '' || pattern === '') {
      throw invalid(`lacks a name or pattern in ${endpoint.slice(from, to)}`, 'write {name} or {name:regexp}')
    }
    source += `${RE2JS.quote(endpoint.slice(end, from))}(${pattern})`
    names.push(name)
    end = to
  }
  const regexp = compile(`${source}${RE2JS.quote(endpoint.slice(end))}$`)
  if (typeof regexp === 'string') throw invalid(`has a wrong regexp (${regexp})`, 'Go regexp syntax is expected')
  if (regexp.groupCount() !== names.length) {
    throw invalid('has a capturing group in its regexp', 'write (?:…) instead of (…)')
  }
  return {
    literal: false,
    match(path) {
      const matcher = regexp.matcher(path)
      if (!matcher.find()) return null
      const values: Record<string, string> = Object.create(null)
      for (const [index, name] of names.entries()) values[name] = matcher.group(index + 1) ?? ''
      return values
    },
  }
}

function compile(source: string): RE2JS | string {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    return messageOf(error)
  }
}

/** The outermost `{…}` as [from, to), or null when braces are not balanced. */
function bracesOf(text: string): [number, number][] | null {
  const found: [number, number][] = []
  let level = 0
  let from = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{' && level++ === 0) from = at
    if (text[at] === '}' && --level === 0) found.push([from, at + 1])
    if (level < 0) return null
  }
  return level === 0 ? found : null
}

/** The canonical form of a path: `//`, `.` and `..` resolved, a slash at the end kept. */
export function cleanPath(path: string): string {
  if (!NEEDS_CLEANING.test(path)) return path
  const rooted = posix.normalize(path.startsWith('/') ? path : `/${path}`)
  return /(^|\/)\.{1,2}$/.test(path) && rooted !== '/' && rooted.endsWith('/') ? rooted.slice(0, -1) : rooted
}

/** Quick refusal for the paths of nearly all requests. */
const NEEDS_CLEANING = /^(?!\/)|\/\/|\/\.{1,2}(\/|$)/
