/**
 * `GET /v1/events`: the log as server-sent events. `id:` is the sequence number, so a browser's `EventSource` (or anybody who sends
 * `Last-Event-ID`) goes on where it was. The log is read only as fast as the consumer takes it: nothing is buffered here.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Clock, systemClock } from '../core/clock.ts'
import { isAbort, messageOf } from '../core/errors.ts'
import { eventLine } from './line.ts'
import { parseCount, parseFrom, type Readable, type Scan, scan } from './scan.ts'

const HEARTBEAT_MS = 15_000

/**
 * The query (`source`, `namespace`, `entry`, `from=start|now|SEQ`, `limit`, `follow=false`) and `Last-Event-ID`, which wins over `from`.
 * @throws USAGE
 */
export function scanOf(url: URL, lastEventId: string | undefined): Omit<Scan, 'signal'> {
  const query = (name: string) => url.searchParams.get(name) ?? undefined
  const from = query('from')
  const limit = query('limit')
  return {
    source: query('source'),
    namespace: query('namespace'),
    entry: query('entry'),
    from: lastEventId ? Number(parseFrom(lastEventId)) + 1 : from === undefined ? undefined : parseFrom(from),
    limit: limit === undefined ? undefined : parseCount(limit),
    follow: query('follow') !== 'false',
  }
}

export async function streamEvents(
  log: Readable,
  request: IncomingMessage,
  response: ServerResponse,
  wanted: Omit<Scan, 'signal'>,
  { clock = systemClock, heartbeatMs = HEARTBEAT_MS }: { clock?: Clock; heartbeatMs?: number } = {},
): Promise<void> {
  const begin = await beginning(log, wanted)
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  request.on('error', () => gone.abort())
  response.on('error', () => gone.abort())
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  // a consumer that waits for its first event can still tell where it stood
  response.write(`: next ${begin.next}\n\n`)
  let stopHeartbeat = () => {}
  const heartbeat = () => {
    if (response.writableLength === 0) response.write(': \n\n')
    stopHeartbeat = clock.after(heartbeatMs, heartbeat)
  }
  stopHeartbeat = clock.after(heartbeatMs, heartbeat)
  try {
    for await (const stored of scan(log, { ...begin.wanted, signal: gone.signal })) {
      if (gone.signal.aborted) return
      const taken = response.write(`id: ${stored.seq}\ndata: ${eventLine(stored)}\n\n`)
      if (!taken) await once(response, 'drain', { signal: gone.signal })
    }
    response.end()
  } catch (error) {
    if (gone.signal.aborted || isAbort(error)) return
    // not a proper end: whoever resumes should come back
    response.write(`: ${messageOf(error).replaceAll('\n', ' ')}\n\n`, () => response.destroy())
  } finally {
    stopHeartbeat()
  }
}

/** Makes "now" a number. */
async function beginning(
  log: Readable,
  wanted: Omit<Scan, 'signal'>,
): Promise<{ next: number; wanted: Omit<Scan, 'signal'> }> {
  if (typeof wanted.from === 'number') return { next: wanted.from, wanted }
  const { firstSeq, lastSeq } = await log.state()
  if (wanted.from === 'start') return { next: Math.max(1, firstSeq), wanted }
  const next = lastSeq + 1
  if (wanted.from === undefined && wanted.limit !== undefined) return { next, wanted }
  return { next, wanted: { ...wanted, from: next } }
}
