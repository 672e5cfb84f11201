/**
 * Loaded before the product (`node --import`): nothing but this machine can be reached, and, where `SENTINEL_WITHOUT` says so, some lines of the
 * product are others: `[{"file":…,"find":…,"replace":…}]`.
 */
import dns from 'node:dns'
import { registerHooks } from 'node:module'
import { isIP } from 'node:net'

const { lookup } = dns
dns.lookup = ((host: string, ...rest: unknown[]) => {
  const done = rest.at(-1) as (error: Error) => void
  if (isIP(host) !== 0 || host === 'localhost') return (lookup as (...all: unknown[]) => void)(host, ...rest)
  process.nextTick(done, Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }))
}) as typeof dns.lookup

interface Change {
  file: string
  find: string
  replace: string
}

const changes = JSON.parse(process.env.SENTINEL_WITHOUT ?? '[]') as Change[]

for (const { file, find, replace } of changes) {
  const target = new URL(`../../${file}`, import.meta.url).href
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      const source = Buffer.from(loaded.source as Uint8Array).toString()
      if (source.split(find).length !== 2) throw new Error(`not exactly once in ${file}: ${find}`)
      return { ...loaded, source: source.replace(find, () => replace) }
    },
  })
}
