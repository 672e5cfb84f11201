/**
 * Who is asked: the name nodes, of which one serves, or HttpFS. HDFS over HTTP, as in
 * https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html
 */
import { fail, isVedetteError, type VedetteError } from '../../core/errors.ts'
import { within } from '../../core/signals.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { networkError } from '../connections/network-error.ts'
import { textOf } from '../http/body-text.ts'
import { type Rank, ranked } from './rank.ts'
import { isDefinite, nobodyServes, refusal } from './refusal.ts'
import type { HdfsSpec } from './spec.ts'

export interface NameNodes extends Closable {
  /**
   * Asks the one that serves; when it does not, the others in turn.
   * @returns the answer, parsed; any JSON
   * @throws ORIGIN_UNAVAILABLE when none serves, or the one that does refuses: `details.exception` and `details.message` are its own
   */
  ask(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<any>
}

/** Where a name node of Hadoop 3 serves WebHDFS. */
const HTTP_PORT = 9870
const ANSWER_MS = 30_000
/** An answer of many thousand entries, as HttpFS gives them for a large directory; bytes. */
export const LARGEST_ANSWER = 64 * 1024 * 1024
/** Who is active is asked again after this. */
export const RANK_MS = 10_000
/** Who does not say so within this counts as not knowing. */
const RANK_ANSWER_MS = 2_000
const STATE = '/jmx?qry=Hadoop:service=NameNode,name=NameNodeStatus&'

/** Base URLs, without a slash at the end. @throws SPEC_INVALID for what is none */
export function httpAddresses({ addresses, webhdfsAddresses }: HdfsSpec): string[] {
  const urls =
    webhdfsAddresses.length > 0
      ? webhdfsAddresses
      : addresses.map((address) => `http://${address.trim().replace(/:\d+$/, '')}:${HTTP_PORT}`)
  return urls.map((text, i) => {
    const url = URL.canParse(text) ? new URL(text) : null
    const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.search === ''
    if (plain && /^\/?$/.test(url.pathname)) return url.origin
    const given = webhdfsAddresses.length > 0 ? text : addresses[i]
    throw fail('SPEC_INVALID', `${JSON.stringify(given)} is no address`)
  })
}

/** @throws SECRET_MISSING, SPEC_INVALID */
export async function openNameNodes(ctx: EntryContext<HdfsSpec>): Promise<NameNodes> {
  const { spec, clock, log } = ctx
  const nodes = [...new Set(httpAddresses(spec))]
  const tls = await tlsMaterial(ctx, spec.tls)
  const token = spec.delegationTokenSecret === undefined ? null : await sentSecret(ctx, spec.delegationTokenSecret)
  const login = new URLSearchParams(token === null ? { 'user.name': spec.hdfsUser } : { delegation: token.trim() })
  const who = token === null ? `user ${spec.hdfsUser}` : 'the user of the delegation token'
  const { Agent, request } = await import('undici')
  const dispatcher = new Agent({
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
    connect: { timeout: 10_000, ...tls },
  })
  let rank: Rank = { order: [...nodes], left: [] }
  let ranking: Promise<void> | null = null
  let rankedMs = Number.NEGATIVE_INFINITY

  const get = async (url: string, signal: AbortSignal): Promise<[status: number, text: string]> => {
    const answer = await request(`${url}${login}`, { dispatcher, signal })
    return [answer.statusCode, await textOf(answer.body, LARGEST_ANSWER)]
  }
  /** What a name node says of itself. Undefined: nothing, as HttpFS. */
  const stateOf = async (node: string, signal: AbortSignal): Promise<any> => {
    try {
      const [status, text] = await within(get(`${node}${STATE}`, signal), RANK_ANSWER_MS, clock)
      return status === 200 ? JSON.parse(text).beans[0] : undefined
    } catch {
      return undefined
    }
  }
  const rankAnew = async (signal: AbortSignal): Promise<void> => {
    const before = [...rank.order, ...nodes.filter((node) => !rank.order.includes(node))]
    const said = await Promise.all(before.map(async (node) => [node, await stateOf(node, signal)] as const))
    const known = rank.left
    rank = ranked(said)
    for (const reason of rank.left) if (!known.includes(reason)) log.warn('a name node is left out', { reason })
  }
  /** Finds out who is active; once at a time. Never rejects. */
  const findActive = (signal: AbortSignal): Promise<void> => {
    rankedMs = clock.monotonic()
    ranking ??= rankAnew(signal).finally(() => {
      ranking = null
    })
    return ranking
  }
  const askOne = async (node: string, path: string, query: Readonly<Record<string, string>>, signal: AbortSignal) => {
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    try {
      const [status, text] = await get(`${node}/webhdfs/v1${encoded}?${new URLSearchParams(query)}&`, signal)
      if (status !== 200) throw refusal(status, text, { node, path, who })
      return JSON.parse(text)
    } catch (error) {
      signal.throwIfAborted()
      if (isVedetteError(error)) throw error
      const { host, protocol } = new URL(node)
      // In TLS 1.3 a server learns who the client is after the client believes that all is well: it just hangs up.
      if (protocol === 'https:' && hungUp(error) && tls.cert === undefined)
        throw fail('ORIGIN_UNAVAILABLE', `TLS: ${host}: it hangs up: does it ask for a certificate of the client?`)
      throw networkError(error, host)
    }
  }
  return {
    close: () => dispatcher.destroy(),
    async ask(path, query, signal) {
      if (nodes.length > 1 && clock.monotonic() - rankedMs >= RANK_MS) {
        // The first time it is waited for: who was active before may not know yet that it no longer is.
        const first = rankedMs === Number.NEGATIVE_INFINITY
        const found = findActive(signal)
        if (first) await found
      }
      const errors = new Map<string, VedetteError>()
      for (;;) {
        const node = rank.order.find((one) => !errors.has(one))
        if (node === undefined) throw nobodyServes([...errors.values()], rank.left)
        try {
          const answer = await askOne(node, path, query, signal)
          if (errors.size > 0) rank.order.sort((one, other) => Number(other === node) - Number(one === node))
          return answer
        } catch (error) {
          signal.throwIfAborted()
          if (!isVedetteError(error) || isDefinite(error)) throw error
          errors.set(node, error)
          if (errors.size === 1 && nodes.length > 1) await findActive(signal)
        }
      }
    },
  }
}

/** Codes of undici and of the system. */
const hungUp = (error: unknown): boolean =>
  ['UND_ERR_SOCKET', 'ECONNRESET'].includes(String((error as { code?: unknown } | null)?.code))
