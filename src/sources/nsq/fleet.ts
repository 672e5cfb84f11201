/** Connections to all nsqds that nsqlookupd knows to have the topic; found again and again, for ever. */
import { backoffMs } from '../../core/backoff.ts'
import { fail, isVedetteError, messageOf } from '../../core/errors.ts'
import { sentSecret } from '../../source/secrets.ts'
import { tlsMaterial } from '../../source/tls.ts'
import type { Closable, EntryContext } from '../../source.ts'
import { backoffOptions } from '../connections/backoff.ts'
import { networkError } from '../connections/network-error.ts'
import type { NsqSpec } from './spec.ts'
import { dialNsqd, type NsqdConnection } from './wire.ts'

export interface Fleet extends Closable {
  /** By address. */
  readonly connections: Map<string, NsqdConnection>
  close(): void
}

export function emptyFleet(): Fleet {
  const connections = new Map<string, NsqdConnection>()
  return {
    connections,
    close() {
      for (const connection of connections.values()) connection.close()
      connections.clear()
    },
  }
}

/** nsqlookupd is asked this often when all is well. */
export const LOOK_MS = 15_000
const LOOKUP_TIMEOUT_MS = 5_000
/** After so long without a look it stands still. */
export const SILENT_MS = 4 * LOOK_MS

/**
 * Keeps the fleet complete until `signal` aborts; what is wrong is the entry's condition. It closes nothing at the end.
 * @param joined called for each new connection, and for each that is there at the start
 * @param looks called before each look, at least every {@link SILENT_MS}
 */
export async function tend(
  ctx: EntryContext<NsqSpec>,
  fleet: Fleet,
  joined: (connection: NsqdConnection) => Promise<void>,
  signal: AbortSignal,
  looks: () => void = () => {},
): Promise<void> {
  const backoff = backoffOptions(ctx.spec.connectionBackoff)
  /** What is wrong, by address; that of nsqlookupd under its own. */
  const problems = new Map<string, string>()
  let wake = () => {}
  let failures = 0

  const join = async (connection: NsqdConnection): Promise<void> => {
    const { address } = connection
    const leave = (error: unknown) => {
      if (fleet.connections.get(address) !== connection) return
      fleet.connections.delete(address)
      if (signal.aborted) return
      problems.set(address, messageOf(error))
      wake()
    }
    connection.lost.catch(leave)
    try {
      await joined(connection)
      problems.delete(address)
    } catch (error) {
      connection.close()
      leave(error)
    }
  }

  for (const connection of fleet.connections.values()) {
    if (connection.alive) await join(connection)
    else fleet.connections.delete(connection.address)
  }
  while (!signal.aborted) {
    looks()
    const found = await lookUp(ctx, signal).catch((error: unknown) => {
      problems.set('lookup', messageOf(error))
      return null
    })
    if (found !== null) {
      problems.delete('lookup')
      for (const address of problems.keys()) if (!found.some((one) => one.address === address)) problems.delete(address)
      await Promise.all(
        found
          .filter(({ address }) => !fleet.connections.has(address))
          .map(async ({ host, port, address }) => {
            try {
              const connection = await dial(ctx, host, port, signal)
              fleet.connections.set(address, connection)
              await join(connection)
            } catch (error) {
              problems.set(address, messageOf(error))
            }
          }),
      )
      if (found.length === 0 && fleet.connections.size === 0)
        problems.set('lookup', `nsqlookupd knows no nsqd that has the topic ${ctx.spec.topic} yet`)
    }
    if (signal.aborted) return
    const [problem] = problems.values()
    ctx.condition(problem ?? null)
    failures = problems.size === 0 ? 0 : failures + 1
    const waitMs = problems.size === 0 ? LOOK_MS : Math.min(LOOK_MS, backoffMs(failures - 1, backoff))
    const woken = new Promise<void>((resolve) => {
      wake = resolve
    })
    await Promise.race([ctx.clock.sleep(waitMs, signal).catch(() => {}), woken])
  }
}

async function dial(
  ctx: EntryContext<NsqSpec>,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<NsqdConnection> {
  const { spec, clock } = ctx
  const tls = spec.tls === undefined ? null : await tlsMaterial(ctx, spec.tls)
  const authSecret = spec.authSecret === undefined ? null : await sentSecret(ctx, spec.authSecret)
  return await dialNsqd({ host, port, tls, authSecret, clock, signal })
}

interface Producer {
  host: string
  port: number
  address: string
  /** Of its HTTP API; 0: it has none. */
  httpPort: number
}

/** @throws ORIGIN_UNAVAILABLE */
export async function lookUp({ spec, clock }: EntryContext<NsqSpec>, signal: AbortSignal): Promise<Producer[]> {
  const base = lookupUrl(spec.hostAddress)
  const where = `nsqlookupd ${base.host}`
  const late = new AbortController()
  const cancel = clock.after(LOOKUP_TIMEOUT_MS, () =>
    late.abort(new Error(`ETIMEDOUT: no answer within ${LOOKUP_TIMEOUT_MS} ms`)),
  )
  try {
    const url = new URL(`lookup?topic=${encodeURIComponent(spec.topic)}`, base)
    const headers = { accept: 'application/vnd.nsq; version=1.0' }
    const answer = await fetch(url, { headers, signal: AbortSignal.any([signal, late.signal]) })
    if (answer.status === 404) {
      await answer.body?.cancel()
      return []
    }
    if (!answer.ok) throw fail('ORIGIN_UNAVAILABLE', `${where}: it answers ${answer.status}`)
    return producersOf(await answer.json(), where)
  } catch (error) {
    signal.throwIfAborted()
    throw isVedetteError(error) ? error : networkError((error as Error).cause ?? error, where)
  } finally {
    cancel()
  }
}

/** Up to 0.3.8 the answer was wrapped in `data`. */
function producersOf(answer: unknown, where: string): Producer[] {
  const { producers = (answer as { data?: { producers?: unknown } } | null)?.data?.producers } = (answer ?? {}) as {
    producers?: unknown
  }
  if (!Array.isArray(producers)) throw fail('ORIGIN_UNAVAILABLE', `${where}: its answer has no producers`)
  type Told = { broadcast_address?: unknown; tcp_port?: unknown; http_port?: unknown }
  return producers.flatMap((one: Told | null) => {
    const { broadcast_address: host, tcp_port: port, http_port: httpPort } = one ?? {}
    if (typeof host !== 'string' || typeof port !== 'number') return []
    return [{ host, port, address: `${host}:${port}`, httpPort: Number(httpPort) || 0 }]
  })
}

/** `host:port` or a URL. */
export function lookupUrl(hostAddress: string): URL {
  const url = new URL(/^https?:\/\//.test(hostAddress) ? hostAddress : `http://${hostAddress}`)
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}
