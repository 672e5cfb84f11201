/** Who may read over the API of a run: on this machine everybody, unless a token is asked for; elsewhere who has a token, unless told otherwise. */
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { readTokens } from './readTokens.ts'

/**
 * Says in the log what holds where it is not this machine alone.
 * @param address that the API really has: a name may be anything
 * @returns the tokens for reading; null: none is needed
 * @throws USAGE for a file that holds no token
 */
export function readingBy(
  { tokenFile, open }: { tokenFile: string | undefined; open: boolean },
  { address, port }: Pick<AddressInfo, 'address' | 'port'>,
  { clock, log, data }: { clock: Clock; log: Logger; data: string },
): (() => readonly string[]) | null {
  if (tokenFile !== undefined) return readTokens(tokenFile, { clock, log })
  if (isLoopback(address)) return null
  const where = `the API on ${address}:${port} can be reached from other machines`
  if (open) {
    log.warn(`${where}: everybody there may read all events (--open-reading)`)
    return null
  }
  log.info(
    `${where}: reading needs the token in ${join(data, 'run.json')}; --read-token-file gives one for reading alone`,
  )
  return () => []
}

/** Whether only this machine reaches an address. */
export const isLoopback = (address: string): boolean =>
  address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address)
