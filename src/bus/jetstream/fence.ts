/**
 * Writing as one term: atomic batches that name the term record they build on, and the record's renewal. One call at a time;
 * after an outcome that is `fenced` or `unknown` the fence is spent, and its owner claims anew.
 */
import type { Headers, PubAck } from '../../clients/nats-acks.ts'
import type { NatsKv } from '../../clients/nats-kv.ts'
import type { Clock } from '../../core/clock.ts'
import { fail, messageOf, type VedetteError } from '../../core/errors.ts'
import { type Advance, type Append, bytesOf, type Fenced, isAppend, type Outcome, type SourceRef } from '../bus.ts'
import { outcomeOfError } from '../outcome.ts'
import { partsOf } from '../parts.ts'
import { createRecordWriter } from './beside.ts'
import { eventMessage, type Message, positionHeader, unstorable } from './message.ts'
import { code, ends, refusal } from './outcome.ts'
import { header, type TermRecord, termSubject } from './record.ts'
import type { StreamFacts } from './stream.ts'

export interface JetStreamFence extends Fenced {
  /** How far it has got, as this process knows it. */
  readonly known: Known
  append(batch: (Append | Advance)[]): Promise<Outcome[]>
  /** Asks the stream whether this term still rules. @throws FENCED when it does not; BUS_UNAVAILABLE, OUTCOME_UNKNOWN */
  check(): Promise<void>
  /** Nothing more is stored under it: the stream it was made for is gone. */
  end(error: VedetteError): void
  /** Keeps an idle record alive no longer. */
  retire(): void
}

/** What a process knows of a term that it has, or had: enough to go on without believing a record. */
export interface Known {
  term: number
  nonce: string
  /** Where its newest record lies. */
  seq: number
  /** Each entry's position: all up to it is on the stream, or was filtered out. */
  positions: ReadonlyMap<string, unknown>
  /** The outcome of its last write is not known: there may be a newer record of its own. */
  doubtful: boolean
}

export interface FenceParts {
  sender: Sender
  facts: StreamFacts
  source: SourceRef
  /** Where positions lie that are too large for the record. */
  kv: NatsKv
  /** As just written, at this stream sequence. */
  record: TermRecord
  seq: number
  /** As read after the claim. */
  positions: Map<string, unknown>
  maxEventBytes: () => number
  /** The sequence of the newest term record, as the stream's leader knows it; 0: none. */
  newestRecord: () => Promise<number>
  connected: () => boolean
  clock: Clock
}

/** What puts messages onto the stream. */
export interface Sender {
  /** One message. @throws as {@link Acks.request} */
  single(message: Message): Promise<PubAck>
  /** All or none. @throws as {@link Acks.request} */
  batch(messages: Message[]): Promise<PubAck>
}

/** An atomic batch has at most 1,000 messages (ADR-50); one is kept for the record. */
const BATCH = { bytes: 4 << 20, members: 999 }
/** The record is written again after this many events, or bytes, so that no limit of the stream drops it. */
const RENEW_EVENTS = 2_000
const RENEW_BYTES = 8 << 20
const RENEW_MS = 3_600_000

export function createFence(parts: FenceParts): JetStreamFence {
  const { sender, facts, source, record: claimed, positions: read, maxEventBytes, connected, clock } = parts
  const { fencing } = facts
  const { term } = claimed
  const subject = termSubject(source)
  const positions = new Map(read)
  /** The entries that the record knows: a first position is written into it at once, so that a claim knows where to look. */
  const recorded = new Set(claimed.since === null ? read.keys() : [])
  let seq = parts.seq
  let eventsSince = 0
  let bytesSince = 0
  let writtenMs = clock.monotonic()
  let spent: Outcome | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let retired = false
  let cancelIdle = () => {}
  const share = (limit: number, most: number) => (limit > 0 ? Math.min(most, Math.max(1, Math.floor(limit / 4))) : most)
  const maxEvents = share(facts.maxMessages, RENEW_EVENTS)
  const maxBytes = share(facts.maxBytes, RENEW_BYTES)
  const maxAgeMs = facts.maxAgeMs > 0 ? Math.min(facts.maxAgeMs / 3, RENEW_MS) : RENEW_MS

  const fence = (): Headers =>
    fencing.kind === 'none' ? {} : { [header.expectedSeq]: seq, [header.expectedSubject]: subject }

  const writer = createRecordWriter(parts.kv, source, claimed, maxEventBytes)
  const { holder, nonce } = claimed

  /** @throws BUS_UNAVAILABLE when positions could not be put beside it: nothing has been sent to the stream then */
  const recordMessage = async (): Promise<Message> => {
    const record = { term, holder, nonce, positions: Object.fromEntries(positions), since: null }
    const payload = await writer.encode(record).catch((error: unknown) => {
      const message = `the positions could not be stored: ${messageOf(error)}`
      throw fail('BUS_UNAVAILABLE', message, {}, { cause: error })
    })
    return { subject, payload, headers: { [header.expectedSeq]: seq } }
  }

  const renewed = (at: number) => {
    writer.stored()
    seq = at
    eventsSince = 0
    bytesSince = 0
    writtenMs = clock.monotonic()
    for (const entry of positions.keys()) recorded.add(entry)
  }

  /** Positions as they are, in a record of their own. */
  const renew = async (): Promise<Outcome> => {
    let ack: PubAck
    try {
      ack = await sender.single(await recordMessage())
    } catch (error) {
      return outcomeOfError(error)
    }
    const no = refusal(ack)
    if (no !== null) return no.outcome === 'refused' ? { ...no, outcome: 'unavailable' } : no
    renewed(ack.seq)
    return { outcome: 'stored', seq }
  }

  const due = () => eventsSince >= maxEvents || bytesSince >= maxBytes || clock.monotonic() - writtenMs >= maxAgeMs

  /** Whether only the record can carry the member's position. */
  const needsRecord = (member: Append | Advance) =>
    member.position !== undefined &&
    (!isAppend(member) || !recorded.has(member.entry) || positionHeader(member) === null)

  const moveOn = (member: Append | Advance) => {
    if (member.position !== undefined) positions.set(member.entry, member.position)
  }

  /** One message after the other, each awaited: later ones must not be stored when an earlier one was not. */
  const oneByOne = async (members: (Append | Advance)[]): Promise<Outcome[]> => {
    const outcomes: Outcome[] = []
    let behind = false
    for (const member of members) {
      const outcome = isAppend(member) ? await sendOne(member) : ({ outcome: 'stored', seq } as const)
      if (ends(outcome)) {
        while (outcomes.length < members.length) outcomes.push(outcome)
        break
      }
      moveOn(member)
      // Only a stored event carries its own position.
      behind ||= needsRecord(member) || (outcome.outcome !== 'stored' && member.position !== undefined)
      outcomes.push(outcome)
    }
    if (!behind && !due()) return outcomes
    const record = await renew()
    if (record.outcome === 'stored') return outcomes
    // What is stored is stored; what only moved a position is not durable yet.
    return outcomes.map((outcome, i) =>
      ends(outcome) || (outcome.outcome === 'stored' && isAppend(members[i]!)) ? outcome : record,
    )
  }

  const sendOne = async (member: Append): Promise<Outcome> => {
    const message = eventMessage(source, member, term)
    const outcome = await sender
      .single({ ...message, headers: { ...message.headers, ...fence() } })
      .then(
        (ack): Outcome =>
          refusal(ack) ?? (ack.duplicate ? { outcome: 'duplicate' } : { outcome: 'stored', seq: ack.seq }),
        outcomeOfError,
      )
    if (outcome.outcome === 'stored') {
      eventsSince++
      bytesSince += member.event.byteLength
    }
    return outcome
  }

  /** All in one atomic batch, the record last when positions moved without an event or it is due. */
  const together = async (members: (Append | Advance)[]): Promise<Outcome[]> => {
    const messages = members.filter(isAppend).map((member) => eventMessage(source, member, term))
    const bytes = messages.reduce((sum, { payload }) => sum + payload.byteLength, 0)
    const before = new Map(positions)
    const rollBack = () => {
      positions.clear()
      for (const [entry, position] of before) positions.set(entry, position)
    }
    for (const member of members) moveOn(member)
    const withRecord =
      members.some(needsRecord) || eventsSince + messages.length >= maxEvents || bytesSince + bytes >= maxBytes || due()
    if (!withRecord && messages.length === 0) return members.map(() => ({ outcome: 'stored', seq }))
    let ack: PubAck
    try {
      if (withRecord) messages.push(await recordMessage())
      else messages[0]!.headers = { ...messages[0]!.headers, ...fence() }
      ack = messages.length === 1 ? await sender.single(messages[0]!) : await sender.batch(messages)
    } catch (error) {
      rollBack()
      return members.map(() => outcomeOfError(error))
    }
    const repeated = [code.duplicateInBatch, code.duplicateInProcess].includes(ack.error?.err_code as never)
    const no = refusal(ack)
    if (repeated || ack.duplicate === true || no?.outcome === 'refused') {
      rollBack()
      // Stored by a newer term, perhaps: that need not be found out one by one.
      const older = await check().then(() => null, outcomeOfError)
      return older === null ? await oneByOne(members) : members.map(() => older)
    }
    if (no !== null) {
      rollBack()
      return members.map(() => no)
    }
    let next = ack.seq - messages.length + 1
    const outcomes = members.map((member): Outcome => ({ outcome: 'stored', seq: isAppend(member) ? next++ : ack.seq }))
    eventsSince += messages.length
    bytesSince += bytes
    if (withRecord) renewed(ack.seq)
    return outcomes
  }

  const check = async (): Promise<void> => {
    if (spent !== null && 'error' in spent) throw spent.error
    const newest = await parts.newestRecord()
    if (newest !== seq) throw fail('FENCED', `the term record of ${source.name} is ${newest}, not that of term ${term}`)
  }

  /** A server that cannot refuse: ask at least, which leaves the time until the write arrives. */
  const checkIfLeaseOnly = async (): Promise<Outcome | null> => {
    if (fencing.kind !== 'none') return null
    return await check().then(() => null, outcomeOfError)
  }

  /** What can never be stored is told apart first; its position moves on all the same. */
  const append = async (batch: (Append | Advance)[]): Promise<Outcome[]> => {
    if (spent !== null) return batch.map(() => spent!)
    if (!connected())
      return batch.map(() => ({ outcome: 'unavailable', error: fail('BUS_UNAVAILABLE', 'NATS cannot be reached') }))
    const older = await checkIfLeaseOnly()
    if (older?.outcome === 'fenced') spent = older
    if (older !== null) return batch.map(() => older)
    const refused = batch.map((member) => (isAppend(member) ? unstorable(member, maxEventBytes()) : null))
    const members = batch.map((member, i): Append | Advance =>
      refused[i] === null ? member : { entry: member.entry, position: member.position },
    )
    const ids = members.flatMap((member) => (isAppend(member) ? [member.id] : []))
    const whole = fencing.kind === 'batch' && new Set(ids).size === ids.length
    const outcomes: Outcome[] = []
    for (const part of partsOf(members, bytesOf, BATCH)) {
      outcomes.push(...(await (whole ? together(part) : oneByOne(part))))
      const stop = outcomes.find(ends)
      if (stop === undefined) continue
      if (stop.outcome !== 'unavailable') spent = stop
      while (outcomes.length < members.length) outcomes.push(stop)
      break
    }
    return outcomes.map((outcome, i) => (ends(outcome) ? outcome : (refused[i] ?? outcome)))
  }

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }

  /** Also an idle term keeps its record younger than the stream's oldest message may be. */
  const keepAlive = () => {
    cancelIdle = clock.after(maxAgeMs / 2, () => {
      void inTurn(async () => {
        if (spent !== null || !connected() || clock.monotonic() - writtenMs < maxAgeMs / 2) return
        const outcome = await renew()
        if (outcome.outcome === 'fenced' || outcome.outcome === 'unknown') spent = outcome
      }).then(() => spent === null && !retired && keepAlive())
    })
  }
  keepAlive()

  const retire = () => {
    retired = true
    cancelIdle()
  }

  return {
    source,
    term,
    positions: read,
    get known() {
      return { term, nonce, seq, positions, doubtful: spent?.outcome === 'unknown' }
    },
    fencing: fencing.kind === 'none' ? 'lease-only' : 'strict',
    ...(fencing.kind === 'none' ? { reason: fencing.reason } : {}),
    append: (batch) => inTurn(() => append(batch)),
    check: () => inTurn(check),
    retire,
    end(error) {
      retire()
      spent ??= { outcome: 'fenced', error }
    },
  }
}
