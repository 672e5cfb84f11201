/**
 * `GET /v1/events`: the log as server-sent events. `id:` is the sequence number, so a browser's `EventSource` (or anybody who sends
 * `Last-Event-ID`) goes on where it was. The log is read only as fast as the consumer takes it: nothing is gathered here, and who takes
 * nothing is dropped (readers.ts). Comments say what else there is to know: `next N` where it stands, `gone A B` which of the wanted the bus has let go, `ends N` that the log ends before the
 * place asked for (it was made anew, or is yet to come there).
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { LogState, Stored } from '../bus/bus.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import type { Redact } from '../core/redact.ts'
import { lineParts } from './line.ts'
import type { Readers } from './readers.ts'
import { type Readable, type Scan, scan } from './scan.ts'

const HEARTBEAT_MS = 15_000
/** A consumer that took longer for what it was sent may have been overtaken by the bus's limits. */
const SLOW_MS = 1_000

/** So many bytes are given to the connection at once: one that takes them slowly still takes something now and then. */
const PIECE_BYTES = 64 << 10

/** @throws BUS_BUSY as many read as may; what the bus throws before anything was answered */
export async function streamEvents(
  log: Readable,
  request: IncomingMessage,
  response: ServerResponse,
  wanted: Omit<Scan, 'signal'>,
  {
    readers,
    redact,
    clock = systemClock,
    heartbeatMs = HEARTBEAT_MS,
  }: { readers: Readers; redact: Redact; clock?: Clock; heartbeatMs?: number },
): Promise<void> {
  const gone = new AbortController()
  const reader = readers.enter(() => response.destroy())
  response.on('close', () => {
    gone.abort()
    reader.leave()
  })
  request.on('error', () => gone.abort())
  response.on('error', () => gone.abort())
  const begin = await beginning(log, wanted)
  // who left meanwhile would be read for without an end
  if (gone.signal.aborted || response.destroyed) return
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  // nothing would hold it back: a HEAD takes everything at once
  if (request.method === 'HEAD') return void response.end()
  // a consumer that waits for its first event can still tell where it stood
  response.write(`: next ${begin.next}\n\n${begin.gone}`)
  let stopHeartbeat = () => {}
  const heartbeat = () => {
    if (response.writableLength === 0) response.write(': \n\n')
    stopHeartbeat = clock.after(heartbeatMs, heartbeat)
  }
  stopHeartbeat = clock.after(heartbeatMs, heartbeat)
  const drained = async ({ event }: Stored) => {
    // its page is held with it
    const goesOn = reader.waits(event.buffer.byteLength)
    await once(response, 'drain', { signal: gone.signal }).finally(goesOn)
  }
  try {
    let waitedFor = 0
    for await (const stored of scan(log, { ...begin.wanted, signal: gone.signal })) {
      if (gone.signal.aborted) return
      if (waitedFor > 0) response.write(goneText(await log.state(), waitedFor))
      const sinceMs = clock.monotonic()
      for (const piece of pieces(stored)) if (!response.write(piece)) await drained(stored)
      waitedFor = clock.monotonic() - sinceMs > SLOW_MS ? stored.seq + 1 : 0
    }
    response.end()
  } catch (error) {
    if (gone.signal.aborted) return
    // not a proper end: whoever resumes should come back
    response.write(`: ${printable(redact(messageOf(error)))}\n\n`, () => response.destroy())
  } finally {
    stopHeartbeat()
  }
}

/** What is written for an event; the bytes of a large one are not copied. */
function* pieces(stored: Stored): Generator<string | Buffer> {
  const { before, event, after } = lineParts(stored)
  const head = `id: ${stored.seq}\ndata: ${before}`
  if (event.byteLength < PIECE_BYTES) return yield `${head}${event.toString('utf8')}${after}\n\n`
  yield head
  for (let at = 0; at < event.byteLength; at += PIECE_BYTES) yield event.subarray(at, at + PIECE_BYTES)
  yield `${after}\n\n`
}

/** Makes "now" a number, and says what of the wanted is not there any more. */
async function beginning(
  log: Readable,
  wanted: Omit<Scan, 'signal'>,
): Promise<{ next: number; wanted: Omit<Scan, 'signal'>; gone: string }> {
  const state = await log.state()
  const { from } = wanted
  if (typeof from === 'number') return { next: from, wanted, gone: goneText(state, from) }
  if (from === 'start') return { next: Math.max(1, state.firstSeq), wanted, gone: '' }
  const next = state.lastSeq + 1
  if (from === undefined && wanted.limit !== undefined) return { next, wanted, gone: '' }
  return { next, wanted: { ...wanted, from: next }, gone: '' }
}

/** A comment for who wants the events from `from` on: nothing is passed over without a word. */
function goneText({ firstSeq, lastSeq }: LogState, from: number): string {
  const oldest = firstSeq === 0 ? lastSeq + 1 : firstSeq
  if (oldest > from && from > 0) return `: gone ${from} ${oldest - 1}\n\n`
  return from > lastSeq + 1 ? `: ends ${lastSeq}\n\n` : ''
}
