/**
 * Writing as one term: atomic batches that name the term record they build on, and the record's renewal. One call at a time;
 * after an outcome that is `fenced` or `unknown` the fence is spent, and its owner claims anew.
 */
import type { Acks, Headers, PubAck } from '../../clients/nats-acks.ts'
import type { Clock } from '../../core/clock.ts'
import { fail } from '../../core/errors.ts'
import { type Advance, type Append, type Fenced, isAppend, type Outcome, type SourceRef, subjectOf } from '../bus.ts'
import { code, failure, refusal } from './outcome.ts'
import { encodeRecord, header, headerText, type TermRecord, termSubject } from './record.ts'
import type { StreamFacts } from './stream.ts'

export interface JetStreamFence extends Fenced {
  append(batch: (Append | Advance)[]): Promise<Outcome[]>
  /** Stops renewing. */
  retire(): void
}

interface Message {
  subject: string
  payload: Uint8Array
  headers: Headers
}

/** The most messages an atomic batch may have (ADR-50), less room for the record. */
const MAX_BATCH = 999
/** The record is written again after this many events, or bytes, so that no limit of the stream drops it, and reading it back is short. */
const RENEW_EVENTS = 2_000
const RENEW_BYTES = 8 << 20

export function createFence({
  acks,
  facts,
  source,
  record: claimed,
  seq: claimedSeq,
  positions: read,
  maxEventBytes,
  connected,
  clock,
  newBatchId,
}: {
  acks: Acks
  facts: StreamFacts
  source: SourceRef
  /** As just written, at this stream sequence. */
  record: TermRecord
  seq: number
  /** As read after the claim. */
  positions: Map<string, unknown>
  maxEventBytes: () => number
  connected: () => boolean
  clock: Clock
  newBatchId: () => string
}): JetStreamFence {
  const subject = termSubject(source)
  const positions = new Map(read)
  const { fencing } = facts
  const term = claimed.term
  let seq = claimedSeq
  let eventsSince = 0
  let bytesSince = 0
  let writtenMs = clock.monotonic()
  let spent: Outcome | null = null
  let retired = false
  let turn: Promise<unknown> = Promise.resolve()
  let cancelIdle: (() => void) | null = null
  const maxEvents = Math.min(RENEW_EVENTS, facts.maxMessages > 0 ? Math.floor(facts.maxMessages / 4) : RENEW_EVENTS)
  const maxBytes = Math.min(RENEW_BYTES, facts.maxBytes > 0 ? Math.floor(facts.maxBytes / 4) : RENEW_BYTES)
  const maxAgeMs = Math.min(facts.maxAgeMs > 0 ? facts.maxAgeMs / 3 : 3_600_000, 3_600_000)

  const fence = (): Headers =>
    fencing.kind === 'none' ? {} : { [header.expectedSeq]: seq, [header.expectedSubject]: subject }

  const recordMessage = (): Message => ({
    subject,
    payload: encodeRecord({ ...claimed, positions: Object.fromEntries(positions), since: null }),
    headers: { [header.expectedSeq]: seq },
  })

  const eventMessage = (member: Append): Message => ({
    subject: subjectOf(source, member.entry),
    payload: member.event,
    headers: {
      [header.id]: member.id,
      [header.namespace]: source.namespace,
      [header.term]: term,
      ...(member.sourceId === undefined ? {} : { [header.sourceId]: headerText(member.sourceId) }),
      ...(member.position === undefined ? {} : { [header.position]: headerText(JSON.stringify(member.position)) }),
    },
  })

  const sendAlone = ({ subject: to, payload, headers }: Message): Promise<PubAck> => acks.request(to, payload, headers)

  const sendBatch = (messages: Message[]): Promise<PubAck> => {
    const batch = newBatchId()
    const last = messages.length - 1
    for (const [i, { subject: to, payload, headers }] of messages.entries()) {
      const numbered = { ...headers, [header.batchId]: batch, [header.batchSequence]: i + 1 }
      if (i === last) return acks.request(to, payload, { ...numbered, [header.batchCommit]: 1 })
      acks.publish(to, payload, numbered)
    }
    throw fail('BUG', 'an empty batch')
  }

  /** Positions as they are, in a record of their own. */
  const renew = async (): Promise<Outcome> => {
    const sent = recordMessage()
    let ack: PubAck
    try {
      ack = await sendAlone(sent)
    } catch (error) {
      return failure(error)
    }
    const no = refusal(ack)
    if (no !== null) return no
    seq = ack.seq
    renewed()
    return { outcome: 'stored', seq }
  }

  const renewed = () => {
    eventsSince = 0
    bytesSince = 0
    writtenMs = clock.monotonic()
  }

  const due = () => eventsSince >= maxEvents || bytesSince >= maxBytes || clock.monotonic() - writtenMs >= maxAgeMs

  const moveOn = (member: Append | Advance) => {
    if (member.position !== undefined) positions.set(member.entry, member.position)
  }

  /** One message after the other, each awaited: later ones must not be stored when an earlier one was not. */
  const oneByOne = async (members: (Append | Advance)[]): Promise<Outcome[]> => {
    const outcomes: Outcome[] = []
    let behind = false
    for (const member of members) {
      let outcome: Outcome
      if (isAppend(member)) {
        const message = eventMessage(member)
        outcome = await sendAlone({ ...message, headers: { ...message.headers, ...fence() } }).then(
          (ack) => refusal(ack) ?? (ack.duplicate ? { outcome: 'duplicate' } : { outcome: 'stored', seq: ack.seq }),
          failure,
        )
        if (outcome.outcome === 'stored') {
          eventsSince++
          bytesSince += member.event.byteLength
        }
      } else outcome = { outcome: 'stored', seq }
      if (['fenced', 'unknown', 'unavailable'].includes(outcome.outcome)) {
        while (outcomes.length < members.length) outcomes.push(outcome)
        break
      }
      moveOn(member)
      // Only a stored event carries its own position.
      if (outcome.outcome !== 'stored' || !isAppend(member)) behind = behind || member.position !== undefined
      outcomes.push(outcome)
    }
    if (!behind && !due()) return outcomes
    const record = await renew()
    if (record.outcome === 'stored') return outcomes
    // What is stored is stored; what only moved a position is not durable yet.
    return outcomes.map((outcome, i) =>
      outcome.outcome === 'stored' && isAppend(members[i]!) ? outcome : spentBy(record),
    )
  }

  /** All in one atomic batch, the record last when positions moved without an event or it is due. */
  const together = async (members: (Append | Advance)[]): Promise<Outcome[]> => {
    const messages = members.filter(isAppend).map(eventMessage)
    const bytes = messages.reduce((sum, { payload }) => sum + payload.byteLength, 0)
    const before = new Map(positions)
    for (const member of members) moveOn(member)
    const withRecord =
      messages.length < members.length ||
      eventsSince + messages.length >= maxEvents ||
      bytesSince + bytes >= maxBytes ||
      due()
    if (withRecord) messages.push(recordMessage())
    else messages[0]!.headers = { ...messages[0]!.headers, ...fence() }
    const rollBack = () => {
      positions.clear()
      for (const [entry, position] of before) positions.set(entry, position)
    }
    let ack: PubAck
    try {
      ack = messages.length === 1 ? await sendAlone(messages[0]!) : await sendBatch(messages)
    } catch (error) {
      rollBack()
      return members.map(() => failure(error))
    }
    if (ack.error?.err_code === code.duplicateInBatch || ack.duplicate === true) {
      rollBack()
      return await oneByOne(members)
    }
    const no = refusal(ack)
    if (no !== null) {
      rollBack()
      return no.outcome === 'refused' ? await oneByOne(members) : members.map(() => no)
    }
    let next = ack.seq - messages.length + 1
    const outcomes = members.map((member): Outcome => ({ outcome: 'stored', seq: isAppend(member) ? next++ : ack.seq }))
    eventsSince += messages.length
    bytesSince += bytes
    if (withRecord) {
      seq = ack.seq
      renewed()
    }
    return outcomes
  }

  /** What can never be stored is told apart first; its position moves on all the same. */
  const append = async (batch: (Append | Advance)[]): Promise<Outcome[]> => {
    if (spent !== null) return batch.map(() => spent!)
    if (!connected())
      return batch.map(() => ({ outcome: 'unavailable', error: fail('BUS_UNAVAILABLE', 'NATS cannot be reached') }))
    const outcomes: (Outcome | null)[] = batch.map((member) =>
      isAppend(member) ? unstorable(member, maxEventBytes()) : null,
    )
    const members = batch.map((member, i): Append | Advance =>
      outcomes[i] === null ? member : { entry: member.entry, position: member.position },
    )
    const seen = new Set<string>()
    const repeats = members.map((member) => isAppend(member) && (seen.has(member.id) || !seen.add(member.id)))
    const whole = fencing.kind === 'batch' && !repeats.includes(true)
    const stored: Outcome[] = []
    for (let i = 0; i < members.length; i += MAX_BATCH) {
      const part = members.slice(i, i + MAX_BATCH)
      const done = await (whole ? together(part) : oneByOne(part))
      stored.push(...done)
      const stop = done.find(
        ({ outcome }) => outcome === 'fenced' || outcome === 'unknown' || outcome === 'unavailable',
      )
      if (stop === undefined) continue
      while (stored.length < members.length) stored.push(stop)
      if (stop.outcome !== 'unavailable') spent = stop
    }
    return stored.map((outcome, i) =>
      outcome.outcome === 'stored' || outcome.outcome === 'duplicate' ? (outcomes[i] ?? outcome) : outcome,
    )
  }

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }

  const keepAlive = () => {
    cancelIdle = clock.after(maxAgeMs / 2, () => {
      if (retired) return
      void inTurn(async () => {
        if (spent !== null || !connected() || clock.monotonic() - writtenMs < maxAgeMs / 3) return
        const outcome = await renew()
        if (outcome.outcome === 'fenced' || outcome.outcome === 'unknown') spent = outcome
      }).then(keepAlive)
    })
  }
  keepAlive()

  return {
    source,
    term,
    positions: read,
    fencing: fencing.kind === 'none' ? 'lease-only' : 'strict',
    ...(fencing.kind === 'none' ? { reason: fencing.reason } : {}),
    append: (batch) => inTurn(() => append(batch)),
    retire() {
      retired = true
      cancelIdle?.()
    },
  }
}

function unstorable({ id, event }: Append, limit: number): Outcome | null {
  if (event.byteLength <= limit) return null
  return {
    outcome: 'refused',
    error: fail('EVENT_TOO_LARGE', `event ${id} has ${event.byteLength} bytes, the bus takes ${limit}`),
  }
}
