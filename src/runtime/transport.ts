/** How the connection to the bus is protected, in words: for the log, `vedette status` and `vedette doctor`. */
import type { Bus, Transport } from '../bus/bus.ts'
import type { Logger } from '../core/log.ts'

export interface TransportWords {
  text: string
  /** What to do about it, unless it is as it should be. */
  remedy?: string
}

export const transportWords: Readonly<Record<Transport, TransportWords>> = {
  plain: {
    text: 'the connection to the bus is not encrypted',
    remedy:
      'who can listen on the way reads every event and the credentials: turn TLS on at the server, and name its CA in tls.caCertSecret',
  },
  encrypted: {
    text: 'the connection to the bus is encrypted, but the certificate of the server is not verified',
    remedy: 'who can step in between passes for the server: name its CA in tls.caCertSecret',
  },
  verified: { text: 'the connection to the bus is encrypted and verified' },
}

/** Says it once, when the bus is connected for the first time; a warning unless it is verified. */
export function announceTransport(bus: Pick<Bus, 'transport' | 'status' | 'onStatus'>, log: Logger): void {
  let forget = () => {}
  const look = (): boolean => {
    const { transport } = bus
    if (transport === undefined) return false
    forget()
    const { text, remedy } = transportWords[transport]
    if (remedy === undefined) log.info(text, { transport })
    else log.warn(`${text}: ${remedy}`, { transport })
    return true
  }
  if (!look()) forget = bus.onStatus(look)
}
