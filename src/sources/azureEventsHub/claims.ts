/** Tokens put for the links of a connection, over `$cbs` (claims-based security, an OASIS draft), and put anew before they end. */
import type { Clock } from '../../core/clock.ts'
import type { HostConnection } from './connection.ts'
import type { TokenFor } from './tokens.ts'

export interface Claims {
  /** A token for an address, in the message of a request. @throws ORIGIN_UNAVAILABLE */
  token(address: string): Promise<string>
  /** A link to or from an address may be opened, and stays permitted. @throws ORIGIN_UNAVAILABLE */
  authorize(address: string): Promise<void>
}

/** @param tokenFor makes the token for an address. What cannot be renewed ends the connection. */
export function claimsOn(host: HostConnection, tokenFor: TokenFor, clock: Clock): Claims {
  const { amqp, connection, ended, step, say } = host
  const cbs = new amqp.CbsClient(connection, `${connection.id}-open`)
  const authorized = new Set<string>()
  let opening: Promise<void> = Promise.resolve()

  const made = async (address: string) =>
    await tokenFor(address, ended).catch((error: unknown) => {
      throw say(error)
    })
  const put = async (address: string): Promise<number> => {
    const { token, type, renewAfterMs } = await made(address)
    await step(async (options) => {
      // Of several at once the first opens the link. The server may have closed an idle one.
      opening = opening.catch(() => {}).then(() => cbs.init(options))
      await opening
      await cbs.negotiateClaim(address, token, type, options)
    })
    return renewAfterMs
  }
  const renew = async (firstMs: number): Promise<never> => {
    for (let afterMs = firstMs; ; ) {
      await clock.sleep(afterMs, ended)
      for (const address of authorized) afterMs = await put(address)
    }
  }
  return {
    token: async (address) => (await made(address)).token,
    async authorize(address) {
      const renewAfterMs = await put(address)
      authorized.add(address)
      if (authorized.size === 1) renew(renewAfterMs).catch(host.lose)
    },
  }
}
