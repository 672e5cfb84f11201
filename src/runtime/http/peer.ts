/** Where a request comes from: the address of the connection, or behind proxies that are trusted what they say. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { fail } from '../../core/errors.ts'

/** The header in which the proxies that are trusted say whom they pass on. Only one: a proxy hands on whatever its client put into others. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

/** Who is at the other end of a connection. */
export interface End {
  readonly address: string
  /** The address, or the network of one sender that it belongs to. */
  readonly network: string
}

/** @returns who sends, by its address; what one sender may have many of (an IPv6 network) is one */
export type PeerOf = (incoming: Pick<IncomingMessage, 'headers'>, end: End) => string

/** @param trusted addresses and networks (`10.0.0.0/8`, `2001:db8::/32`) of proxies. @throws USAGE */
export function peers(trusted: readonly string[], header: ForwardedHeader = 'x-forwarded-for'): PeerOf {
  if (trusted.length === 0) return (_, { network }) => network
  const proxies = proxyList(trusted)
  return ({ headers }, end) => {
    let address = plain(end.address)
    if (!proxies(address)) return end.network
    const value = headers[header]
    // From the nearest on: what lies before the first that nobody trusts may be made up.
    for (const hop of hopsIn(String(value ?? ''), header).reverse()) {
      if (isIP(hop) === 0) break
      address = plain(hop)
      if (!proxies(address)) break
    }
    return network(address)
  }
}

/** Hops that are looked at, the nearest ones. */
const MOST_HOPS = 16

function hopsIn(value: string, header: ForwardedHeader): string[] {
  const items = value.split(',').slice(-MOST_HOPS)
  if (header === 'x-forwarded-for') return items.map((item) => bare(item.trim()))
  return items.map((item) =>
    bare(/(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;\s]*))/i.exec(item)?.slice(1).find(Boolean) ?? ''),
  )
}

/** Without brackets and port. */
function bare(hop: string): string {
  const [, v6] = /^\[([^\]]*)\](?::\d+)?$/.exec(hop) ?? []
  if (v6 !== undefined) return v6
  return /^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop
}

function proxyList(trusted: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const one of trusted) {
    const [address = '', bits] = one.split('/', 2)
    const family = isIP(address)
    const most = family === 4 ? 32 : 128
    const prefix = bits === undefined ? most : Number(bits)
    if (family === 0 || !/^\d{1,3}$/.test(bits ?? '0') || prefix > most) {
      throw fail(
        'USAGE',
        `${JSON.stringify(one)} is no address or network of a proxy: write for example 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32`,
      )
    }
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

/** An IPv4 address as such, also where the socket takes both. */
const plain = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address

/** IPv4: the address. IPv6: its /64, which is what a host gets at least. */
export function network(address: string): string {
  const text = plain(address)
  if (!text.includes(':')) return text
  const [head = '', tail] = text.split('%')[0]!.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
