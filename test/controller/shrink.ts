/**
 * Empties servers of a native bus that are to go, and takes them out of their cluster, while it serves: step by step, each from what the cluster
 * says, so that it can break off anywhere and go on later. Subjects and answers: docs.nats.io/reference/reference-protocols/nats_api_reference;
 * measured on 2.15.2 (test/controller/busResize.test.ts).
 */
import { CLUSTERED } from '../../src/controller/eventBus/resize.ts'

/** A request to the servers' API. @returns its answer. @throws when there is none */
export type Ask = (subject: string, body: object) => Promise<Answer>

export interface Answer {
  error?: { code: number; description?: string }
  [member: string]: unknown
}

export interface Shrink {
  /** As the user whose account has the streams. */
  asUser: Ask
  /** As a user of the system account. */
  asSystem: Ask
  from: number
  to: number
  server: (ordinal: number) => string
  /** Whether a server is no longer a member. */
  isRemoved: (ordinal: number) => boolean
}

interface Peer {
  name: string
  current?: boolean
  offline?: boolean
}

interface Stream {
  config: { name: string; num_replicas: number; [setting: string]: unknown }
  cluster?: { leader?: string; replicas?: Peer[]; desired?: unknown }
}

/** One round of steps. @returns what it waits for; null: the servers may go. @throws Error with what a server refused */
export async function shrinkStep(shrink: Shrink): Promise<string | null> {
  const { from, to, isRemoved } = shrink
  const streams = await streamsOf(shrink.asUser)
  // One after the other, from the last: what leaves one may come to another that goes, but never back.
  for (let ordinal = from - 1; ordinal >= Math.max(to, CLUSTERED); ordinal--) {
    if (isRemoved(ordinal)) continue
    return (await empty(shrink, shrink.server(ordinal), streams)) ?? (await remove(shrink, shrink.server(ordinal)))
  }
  return to < CLUSTERED ? await gather(shrink, streams) : null
}

async function streamsOf(ask: Ask): Promise<Stream[]> {
  const found: Stream[] = []
  for (;;) {
    const { streams, total } = (await asked(ask, '$JS.API.STREAM.LIST', { offset: found.length })) as unknown as {
      streams: Stream[] | null
      total: number
    }
    found.push(...(streams ?? []))
    if (!streams?.length || found.length >= total) return found
  }
}

/** Moves every copy that `server` has to another one. */
async function empty({ asUser, to, from }: Shrink, server: string, streams: Stream[]): Promise<string | null> {
  let waits: string | null = null
  for (const stream of streams) {
    if (!peersOf(stream).includes(server)) continue
    const { name, num_replicas: copies } = stream.config
    waits = `the stream "${name}" leaves ${server}`
    if (!isSettled(stream)) continue
    // The only copy cannot be given away: there must be others first.
    if (copies === 1) await setCopies(asUser, stream, Math.min(CLUSTERED, from))
    else if (copies > Math.max(to, CLUSTERED)) await setCopies(asUser, stream, Math.max(to, CLUSTERED))
    else await asked(asUser, `$JS.API.STREAM.PEER.REMOVE.${name}`, { peer: server })
  }
  return waits
}

async function remove({ asSystem }: Shrink, server: string): Promise<string> {
  await asked(asSystem, '$JS.API.SERVER.REMOVE', { peer: server })
  return `${server} leaves the cluster`
}

/** Brings the one copy of each stream to the first server. */
async function gather({ asUser, server }: Shrink, streams: Stream[]): Promise<string | null> {
  const first = server(0)
  let waits: string | null = null
  for (const stream of streams) {
    const { name, num_replicas: copies } = stream.config
    const peers = peersOf(stream)
    if (copies === 1 && isSettled(stream) && peers.length === 1 && peers[0] === first) continue
    waits = `the stream "${name}" goes to ${first}`
    if (!isSettled(stream)) continue
    if (!peers.includes(first)) await setCopies(asUser, stream, CLUSTERED)
    else if (stream.cluster?.leader !== first)
      await asked(asUser, `$JS.API.STREAM.LEADER.STEPDOWN.${name}`, { placement: { preferred: first } })
    else await setCopies(asUser, stream, 1)
  }
  return waits
}

async function setCopies(ask: Ask, { config }: Stream, copies: number): Promise<void> {
  await asked(ask, `$JS.API.STREAM.UPDATE.${config.name}`, { ...config, num_replicas: copies })
}

function peersOf({ cluster }: Stream): string[] {
  const { leader, replicas } = cluster ?? {}
  return [...(leader === undefined ? [] : [leader]), ...(replicas ?? []).map(({ name }) => name)]
}

/** Nothing about it is under way: it is led, and every copy has everything. */
function isSettled({ config, cluster }: Stream): boolean {
  if (!cluster?.leader || cluster.desired !== undefined) return false
  const { replicas } = cluster
  const others = replicas ?? []
  return (
    others.length === config.num_replicas - 1 &&
    others.every(({ current, offline }) => current === true && offline !== true)
  )
}

async function asked(ask: Ask, subject: string, body: object): Promise<Answer> {
  const answer = await ask(subject, body)
  if (answer.error !== undefined) throw new Error(`${subject}: ${answer.error.description ?? answer.error.code}`)
  return answer
}
