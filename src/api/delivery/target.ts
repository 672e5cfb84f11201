/** Where `--deliver` delivers to: what is dialled, what is sent along, and what of it may be shown. */
import { fail } from '../../core/errors.ts'

export interface Target {
  /** Without user and password. */
  url: string
  /** Without user, password and query: what it is known by, whatever its credentials. */
  place: string
  /** What may be logged: the same, but for an address that is secret itself. */
  shown: string
  headers: Record<string, string>
  /** What must never be shown, also not when the receiver repeats it. */
  secrets: string[]
}

/** A shorter value says nothing, and to blank it out would make answers unreadable. */
const SHORTEST_SECRET = 4
/** A part of a path that is shorter is a word. */
const SHORTEST_TOKEN = 12

/**
 * @param secret its path is not shown either: receivers have tokens there
 * @throws USAGE when it is no http(s) URL; says nothing of one that is secret
 */
export function parseTarget(text: string, { secret = false }: { secret?: boolean } = {}): Target {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const what = secret ? 'what the file of --deliver-file begins with' : `--deliver ${JSON.stringify(text)}`
    throw fail('USAGE', `${what} is not a URL: write http://host/path or https://host/path`)
  }
  const [user, password] = [decoded(url.username), decoded(url.password)]
  const basic = Buffer.from(`${user}:${password}`).toString('base64')
  url.username = ''
  url.password = ''
  url.hash = ''
  const path = secret ? url.pathname.split('/').filter((part) => part.length >= SHORTEST_TOKEN) : []
  const secrets = [...path, password, ...(password === '' ? [user] : []), basic, ...url.searchParams.values()]
  return {
    url: url.href,
    place: shownUrl(url),
    shown: secret && url.pathname !== '/' ? `${url.origin}/***` : shownUrl(url),
    headers: user === '' && password === '' ? {} : { authorization: `Basic ${basic}` },
    secrets: secrets.flatMap((one) => [one, encodeURIComponent(one)]).filter((one) => one.length >= SHORTEST_SECRET),
  }
}

/** Without user, password, query and fragment. */
export const shownUrl = (url: URL): string => `${url.origin}${url.pathname}`

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw fail('USAGE', 'the address of --deliver has a user or password that is not percent-encoded: write % as %25')
  }
}
