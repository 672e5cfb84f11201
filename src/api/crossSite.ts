/**
 * Pages of other sites can make a browser send requests to this machine, whose answers they cannot read, but whose work they cause. A browser
 * says so: by `Sec-Fetch-Site`, which no page can set, and, where that is missing, by `Origin`. Programs send neither.
 */
import type { IncomingHttpHeaders } from 'node:http'

/** What the browser says of a request that another site made, or null: it is of this site, of the person at the browser, or no browser's. */
export function crossSite(headers: IncomingHttpHeaders): string | null {
  const { host = '', origin } = headers
  const site = headers['sec-fetch-site']
  if (site !== undefined) return OWN.has(String(site)) ? null : `Sec-Fetch-Site: ${String(site).slice(0, 40)}`
  if (origin === undefined || hostOf(origin) === hostOf(`http://${host}`)) return null
  return `Origin: ${origin.slice(0, 100)}`
}

/** What is answered with 403. */
export const refusedAsCrossSite = (said: string): string =>
  `a page of another site asked for this (${said}): that is refused; open the address itself, or ask with a program`

/** `none`: typed in, or from outside of the browser. */
const OWN: ReadonlySet<string> = new Set(['same-origin', 'same-site', 'none'])

/** The name without its port: other ports of a machine are of the same site. Null for what is no URL of a server (`null`, a file). */
function hostOf(url: string): string | null {
  const found = URL.canParse(url) ? new URL(url).hostname : ''
  return found === '' ? null : found
}
