/** What people may set of the listeners: by flags of `vedette run`, by environment in a Pod. */
import { readFileSync } from 'node:fs'
import { fail } from '../../core/errors.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { type ForwardedHeader, type PeerOf, peers } from './peer.ts'

/** Plain data: it travels to the hosts of a run. */
export interface ListenerSettings {
  limits: Partial<Limits>
  /** Addresses and networks. */
  trustedProxies: string[]
  forwardedHeader: ForwardedHeader
}

/** The same as texts; what is left out, or empty, has its default. */
export interface SettingTexts {
  /** `maxConnections=8192,maxRequests=2000` */
  limits?: string | undefined
  /** `10.0.0.0/8,2001:db8::/32` */
  trustedProxies?: string | undefined
  /** `X-Forwarded-For` or `Forwarded` */
  forwardedHeader?: string | undefined
}

/** The limits that may be set. */
export const SETTABLE = [
  ...([
    'maxConnections',
    'maxHandshakes',
    'maxRequests',
    'maxBufferedBytes',
    'maxPipelined',
    'maxHeaderBytes',
    'maxHeaders',
  ] as const),
  ...(['minBodyBytesPerSecond', 'bodyGraceMs', 'headersTimeoutMs', 'requestTimeoutMs'] as const),
  ...(['answerTimeoutMs', 'keepAliveMs'] as const),
] satisfies (keyof Limits)[]

/** @param of what the texts came by, for messages. @throws USAGE */
export function listenerSettings(texts: SettingTexts, of: Record<keyof SettingTexts, string>): ListenerSettings {
  const trustedProxies = itemsIn(texts.trustedProxies)
  const forwardedHeader = (texts.forwardedHeader || 'x-forwarded-for').toLowerCase()
  if (forwardedHeader !== 'x-forwarded-for' && forwardedHeader !== 'forwarded') {
    throw fail(
      'USAGE',
      `${of.forwardedHeader} ${JSON.stringify(texts.forwardedHeader)}: write X-Forwarded-For or Forwarded`,
    )
  }
  peers(trustedProxies, forwardedHeader)
  const limits: Partial<Limits> = {}
  for (const item of itemsIn(texts.limits)) {
    const [name = '', value = ''] = item.split('=', 2)
    const known = SETTABLE.find((one) => one === name)
    if (known === undefined) {
      throw fail('USAGE', `${of.limits}: there is no limit ${JSON.stringify(name)}: there are ${SETTABLE.join(', ')}`)
    }
    if (!/^[1-9]\d{0,14}$/.test(value)) {
      throw fail(
        'USAGE',
        `${of.limits}: ${known} ${JSON.stringify(value)} is no whole number above 0: write ${known}=${defaultLimits[known]}`,
      )
    }
    limits[known] = Number(value)
  }
  return { limits, trustedProxies, forwardedHeader }
}

const itemsIn = (text = ''): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** Of the files that a process may open, the part that connections may take. */
const OF_FILES = 0.6

/** What {@link createListeners} takes: no more connections than the system lets this process have, unless they are set. */
export function listenerOptions({ limits, trustedProxies, forwardedHeader }: ListenerSettings): {
  peerOf: PeerOf
} & Partial<Limits> {
  const most = Math.max(1, Math.floor(openFiles() * OF_FILES))
  return {
    maxConnections: Math.min(defaultLimits.maxConnections, most),
    ...limits,
    peerOf: peers(trustedProxies, forwardedHeader),
  }
}

/** How many files this process may have open; where the system does not say: no limit. */
function openFiles(): number {
  try {
    return Number(
      /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY,
    )
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
