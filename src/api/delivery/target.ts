/** Where `--deliver` delivers to: what is dialled, what is sent along, and what of it may be shown. */
import { fail } from '../../core/errors.ts'

export interface Target {
  /** Without user and password. */
  url: string
  /** Without user, password and query: what may be logged. */
  shown: string
  headers: Record<string, string>
  /** What must never be shown, also not when the receiver repeats it. */
  secrets: string[]
}

/** A shorter value says nothing, and to blank it out would make answers unreadable. */
const SHORTEST_SECRET = 4

/** @throws USAGE when it is no http(s) URL */
export function parseTarget(text: string): Target {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw fail('USAGE', `--deliver ${JSON.stringify(text)} is not a URL: write http://host/path or https://host/path`)
  }
  const [user, password] = [decoded(url.username), decoded(url.password)]
  const basic = Buffer.from(`${user}:${password}`).toString('base64')
  url.username = ''
  url.password = ''
  url.hash = ''
  const secrets = [password, ...(password === '' ? [user] : []), basic, ...url.searchParams.values()]
  return {
    url: url.href,
    shown: shownUrl(url),
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
    throw fail('USAGE', '--deliver has a user or password that is not percent-encoded: write % as %25')
  }
}
