/** Addresses of a provider's API as people write them: with its path or without, with a slash at the end, without a scheme. */

/**
 * The base that {@link createRest} wants: of `path` only what the address does not end with already is put behind it. An address without a
 * scheme is meant to be https.
 * @param path of the API: `/api/v4`
 * @param complete matches a path to which nothing belongs: another version of the API
 */
export function apiBase(written: string, path: string, complete?: RegExp): string {
  const base = (hasScheme(written) ? written : `https://${written}`).replace(/\/+$/, '')
  if (!URL.canParse(base) || complete?.test(base)) return base
  const parts = path.split('/')
  // `…/rest` and `/rest/api/1.0` share `/rest`.
  for (let shared = parts.length; shared > 1; shared--) {
    if (new URL(base).pathname.endsWith(parts.slice(0, shared).join('/')))
      return [base, ...parts.slice(shared)].join('/')
  }
  return `${base}${path}`
}

/** `host:8080/path` has none, though a parser of URLs takes `host` for one. */
export const hasScheme = (address: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(address)
