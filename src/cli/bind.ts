import { isIP } from 'node:net'
import { fail } from '../core/errors.ts'

/** An address or the name of one. An empty one would be every address there is. @throws USAGE */
export function parseBind(text: string): string {
  const bare = /^\[(.+)\]$/.exec(text)?.[1] ?? text
  if (isIP(bare) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(bare)) return bare
  throw fail(
    'USAGE',
    `--bind ${JSON.stringify(text)} is no address: write one without a port, for example 127.0.0.1, or 0.0.0.0 for every one`,
  )
}
