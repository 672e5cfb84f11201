/** The stream as a stock NATS client reads it, and what must hold of it. */
import assert from 'node:assert/strict'
import { DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Stored } from '../../src/bus/bus.ts'
import type { Line } from './rig.ts'

/** An event with what travels beside it. */
export interface Logged extends Line {
  namespace: string
  /** The term that wrote it; null: none, the entry is active-active. */
  term: number | null
}

export interface StreamLog {
  events: Logged[]
  /** Term records, oldest first. */
  records: { seq: number; subject: string; term: number }[]
}

/** An event as a bus gives it. */
export const loggedOf = ({ seq, timeMs, subject, namespace, term, event }: Stored): Logged => ({
  ...{ seq, subject, namespace, term: term ?? null },
  time: new Date(timeMs).toISOString(),
  event: JSON.parse(Buffer.from(event).toString()),
})

const SILENCE_MS = 10_000
const PATIENCE_MS = 30_000

/** All that the stream, or a mirror of it, holds now. A cluster that has just come back may not make consumers yet: that is waited for. */
export async function readStream(nc: NatsConnection, stream = 'default'): Promise<StreamLog> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await readOnce(nc, stream)
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}

async function readOnce(nc: NatsConnection, stream: string): Promise<StreamLog> {
  const log: StreamLog = { events: [], records: [] }
  const { state } = await (await jetstreamManager(nc, { checkAPI: false })).streams.info(stream)
  if (state.messages === 0) return log
  const consumer = await jetstream(nc).consumers.get(stream, { deliver_policy: DeliverPolicy.All })
  const messages = await consumer.consume({ max_messages: 1_000 })
  const tooLong = setTimeout(() => messages.stop(new Error('the stream cannot be read')), SILENCE_MS)
  try {
    for await (const message of messages) {
      tooLong.refresh()
      const { seq, subject } = message
      if (subject.split('.')[2]!.startsWith('$')) {
        log.records.push({ seq, subject, term: message.json<{ term: number }>().term })
      } else {
        const term = message.headers?.get('Vedette-Term') ?? ''
        log.events.push({
          seq,
          subject,
          time: message.time.toISOString(),
          event: message.json(),
          namespace: message.headers?.get('Vedette-Namespace') ?? '',
          term: term === '' ? null : Number(term),
        })
      }
      if (seq >= state.last_seq) break
    }
  } finally {
    clearTimeout(tooLong)
    await messages.close()
  }
  return log
}

/**
 * The fence, looked for on the log: each event lies between its own term's record and the next term's, so none of an older term was
 * stored after a newer one began, and no term wrote before it had begun. @returns how many terms wrote
 */
export function assertFenced({ events, records }: StreamLog): number {
  const ruling = new Map<string, number>()
  const wrote = new Set<string>()
  const all = [...records, ...events].sort((a, b) => a.seq - b.seq)
  for (const one of all) {
    if (!('event' in one)) {
      const before = ruling.get(one.subject) ?? 0
      assert.ok(one.term >= before, `record ${one.seq}: term ${one.term} after term ${before}`)
      ruling.set(one.subject, one.term)
      continue
    }
    if (one.term === null) continue
    const of = `default.${one.subject.split('.')[1]}.$term-${one.namespace}`
    // The first record may have been dropped by a limit of the stream.
    const rules = ruling.get(of) ?? one.term
    assert.equal(
      one.term,
      rules,
      `event ${one.seq} (${one.subject}) of term ${one.term} was stored while ${rules} ruled`,
    )
    wrote.add(`${of} ${one.term}`)
  }
  return wrote.size
}

/** The longest time between two events in a row, milliseconds. */
export function longestPauseMs(lines: Line[]): number {
  const at = lines.map(({ time }) => Date.parse(time))
  return Math.max(0, ...at.slice(1).map((ms, i) => ms - at[i]!))
}
