/**
 * Whether the number of servers of a native bus may change, given what they hold. A lone nats-server has no cluster; what it does with its
 * disk when that changes was measured on 2.15.2 and 2.9 (test/controller/busResize.test.ts): a lone server that joins a cluster deletes its
 * streams half a minute later, one that leaves it opens those of one copy and no others. Pure.
 */

/** What one server says that it holds. */
export interface Held {
  streams: { name: string; copies: number }[]
  /** How many servers its cluster counts; absent: it has none. */
  members?: number
  /** It was taken out of its cluster, and serves nothing. */
  removed?: boolean
}

/** Text: why it is not known. */
export type Holding = Held | string

export interface Resize {
  /** How many servers were last configured. */
  from: number
  to: number
  /** Each server has a disk of its own. */
  persistent: boolean
  /** Name of the server at a place. */
  server: (ordinal: number) => string
  /** By ordinal, all of `from`. */
  held: readonly Holding[]
}

/** From this many on they are a cluster. */
export const CLUSTERED = 3

const REMEDY = 'see docs/eventbus.md#more-and-fewer-servers'

/** @returns null when no event and no position can be lost by it; otherwise why one would be, and what to do first */
export function lossOf(resize: Resize): string | null {
  const { from, to } = resize
  if (from < CLUSTERED && to >= CLUSTERED) return joins(resize)
  if (to >= from) return null
  return leaves(resize) ?? (to < CLUSTERED ? staysAlone(resize) : stillCounted(resize))
}

/** The others know nothing of its streams: as far as the cluster goes they are left-overs. */
function joins({ held, server }: Resize): string | null {
  const first = held[0] ?? 'it is not there'
  if (typeof first === 'string') return unknown(server(0), first)
  if (first.streams.length === 0 || first.members !== undefined) return null
  return `a lone nats-server that joins a cluster loses what it holds, and ${server(0)} holds ${names(first)}: save them first, ${REMEDY}`
}

function leaves({ to, held, server }: Resize): string | null {
  for (const [ordinal, holding] of held.entries()) {
    if (ordinal < to) continue
    if (typeof holding === 'string') return unknown(server(ordinal), holding)
    if (holding.streams.length > 0)
      return `${server(ordinal)} would go and still holds ${names(holding)}: move them first, ${REMEDY}`
  }
  return null
}

/** A server without a cluster opens no stream that says it has other copies. */
function staysAlone({ held, server, persistent }: Resize): string | null {
  const first = held[0] ?? 'it is not there'
  if (typeof first === 'string') return unknown(server(0), first)
  const { streams } = first
  if (!persistent && streams.length > 0)
    return `${server(0)} has no disk and starts anew when the cluster goes; it holds ${names(first)}: make another EventBus, ${REMEDY}`
  const copied = streams.filter(({ copies }) => copies > 1)
  if (copied.length === 0) return null
  return `a lone nats-server opens no stream of several copies, and ${server(0)} holds ${names({ streams: copied })}: bring them to one copy first, ${REMEDY}`
}

/** Members that never come back count for the majority all the same. */
function stillCounted({ to, held }: Resize): string | null {
  const members = Math.max(0, ...held.slice(0, to).map((one) => (typeof one === 'string' ? 0 : (one.members ?? 0))))
  if (members <= to) return null
  return `the cluster still counts ${members} servers, and with ${to} of them its majority would hang by fewer: remove those that go from it first, ${REMEDY}`
}

function unknown(server: string, why: string): string {
  return `what ${server} holds is not known: ${why}`
}

const MOST = 5

function names({ streams }: Pick<Held, 'streams'>): string {
  const all = streams.map(({ name }) => `"${name}"`).sort()
  const more = all.length > MOST ? ` and ${all.length - MOST} more` : ''
  return `the ${all.length === 1 ? 'stream' : 'streams'} ${all.slice(0, MOST).join(', ')}${more}`
}
