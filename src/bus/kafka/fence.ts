/**
 * A term is a producer epoch: the broker refuses the older one. Each batch is one transaction with the positions that it reaches, and what
 * consumer groups of this cluster have consumed; the record of the term lies beside them.
 */
import { z } from 'zod'
import { fail, isVedetteError } from '../../core/errors.ts'
import { jsonIn } from '../../core/json-in.ts'
import { nextTerm } from '../../core/term.ts'
import type { Consumed } from '../../source.ts'
import {
  type Advance,
  type Append,
  type Claim,
  type Fenced,
  isAppend,
  type Outcome,
  type SourceRef,
  sourceKey,
  subjectOf,
} from '../bus.ts'
import { idOf, type KafkaLog } from './log.ts'
import { eventMessage, type Message, unstorable } from './message.ts'
import type { Producer } from './producer.ts'
import { type State, stateMessage } from './state.ts'
import { beginTransactions, type Transactions } from './transaction.ts'
import { holdsJson, isPart, storedValue, valueMessages } from './values.ts'

export interface KafkaFence extends Fenced {
  readonly fencing: 'strict'
  readonly known: Known
  append(batch: (Append | Advance)[]): Promise<Outcome[]>
  /** @throws FENCED, OUTCOME_UNKNOWN */
  saveSnapshot(entry: string, bytes: Uint8Array): Promise<void>
  /** Nothing is written after it. */
  retire(): void
}

/** What a process knows of a term that it had. */
export interface Known {
  positions: ReadonlyMap<string, unknown>
  /** The outcome of its last write is not known. */
  doubtful: boolean
}

export interface FenceParts {
  producer: Producer
  state: State
  /** Of the events. */
  topic: string
  /** The broker that leads the first partition of a topic, for words. */
  nodeOf(topic: string): number
  /** Where an event goes. */
  place(source: SourceRef, entry: string): number
  seq(partition: number, offset: number): number
  log: Pick<KafkaLog, 'recentIds'>
  /** What this process knows of its own last term, when the lease has been its own since. */
  known?: Known | undefined
  /** The broker does not let offsets of this group be committed in a transaction. */
  refused(group: string, why: string): void
}

type TermRecord = z.infer<typeof termRecord>

/** Whose epoch is the term of an EventSource's active-passive entries. @param topic of the state */
export const transactionalIdOf = (topic: string, source: SourceRef): string => `${topic}/${sourceKey(source)}`
const termKey = (source: SourceRef) => `term/${sourceKey(source)}`
const positionPrefix = (source: SourceRef) => `position/${sourceKey(source)}/`
export const snapshotKey = (source: SourceRef, entry: string) => `snapshot/${sourceKey(source)}/${entry}`

/** Takes the epoch, then reads. @param onStep told what is begun and at which broker, in words, and again at each answer to it. @param signal nothing more is begun after it. @throws BUS_UNAVAILABLE, OUTCOME_UNKNOWN; FENCED when another claim came between */
export async function claimTerm(
  parts: FenceParts,
  source: SourceRef,
  { holder, nonce, floor }: Claim,
  onStep: (step: string) => void,
  signal: AbortSignal,
): Promise<KafkaFence> {
  const { producer, state } = parts
  const id = transactionalIdOf(state.topic, source)
  onStep(`looking for the coordinator of ${id}`)
  const transactions = await beginTransactions(producer, id, (node) => {
    signal.throwIfAborted()
    onStep(`taking the next epoch of ${id} at broker ${node}`)
  })
  // What the epoch before had committed is on the log by now, and what it had open is not.
  const reading = (topic: string) => () => onStep(`reading ${topic} from broker ${parts.nodeOf(topic)}`)
  const readsState = reading(state.topic)
  readsState()
  const kept = await state.read(readsState)
  const before = recordOf(kept.get(termKey(source))?.value)
  const term = before?.nonce === nonce && before.term > floor ? before.term : nextTerm(before?.term, floor)
  const record: TermRecord = { term, holder, nonce }
  signal.throwIfAborted()
  onStep(`writing the record of the term to ${state.topic} at broker ${parts.nodeOf(state.topic)}`)
  await transactions.write([stateMessage(state.topic, termKey(source), Buffer.from(JSON.stringify(record)))])
  const readsEvents = reading(parts.topic)
  readsEvents()
  const ids = await parts.log.recentIds(source, readsEvents)
  const positions = new Map<string, unknown>()
  const prefix = positionPrefix(source)
  for (const key of kept.keys()) {
    if (!key.startsWith(prefix) || isPart(key)) continue
    const value = storedValue(kept, key)
    const position = value === null ? undefined : jsonIn(value)
    if (position !== undefined) positions.set(key.slice(prefix.length), position)
  }
  // Nobody else may have written since: what lies there otherwise is forged.
  if (parts.known?.doubtful === false) for (const [entry, at] of parts.known.positions) positions.set(entry, at)
  return fenceOf(parts, source, { term, positions, ids }, transactions)
}

const termRecord = z.object({ term: z.int().nonnegative(), holder: z.string().max(1024), nonce: z.string().max(1024) })

const recordOf = (value: Buffer | undefined): TermRecord | null =>
  value === undefined ? null : (termRecord.safeParse(jsonIn(value)).data ?? null)

/** Whether a record of the state topic can be read by {@link claimTerm}, which also never takes one away; of other kinds it knows nothing. */
export function isOurs(key: string, value: Buffer | null): boolean {
  if (key.startsWith('term/')) return value !== null && recordOf(value) !== null
  return !key.startsWith('position/') || (value !== null && (isPart(key) || holdsJson(value)))
}

/** What a term begins with. */
interface Begun {
  term: number
  positions: ReadonlyMap<string, unknown>
  /** Of events that are stored, oldest first: nobody else writes these entries, so who leads knows what is there. */
  ids: Set<string>
}

const MOST_IDS = 50_000

function remember(ids: Set<string>, fresh: ReadonlySet<string>): void {
  for (const id of fresh) ids.add(id)
  for (const id of ids) {
    if (ids.size <= MOST_IDS) return
    ids.delete(id)
  }
}

function fenceOf(
  { topic, state, place, seq, refused }: FenceParts,
  source: SourceRef,
  { term, positions, ids }: Begun,
  transactions: Transactions,
): KafkaFence {
  const known = { positions: new Map(positions), doubtful: false }
  return {
    source,
    term,
    positions,
    known,
    fencing: 'strict',
    async append(batch) {
      const reached = new Map<string, unknown>()
      const consumed = new Map<string, Consumed>()
      const events: Message[] = []
      const fresh = new Set<string>()
      const outcomes = batch.map((member): Outcome | { event: Message } | null => {
        if (member.position !== undefined) reached.set(member.entry, member.position)
        if (member.consumed !== undefined) consumed.set(member.entry, member.consumed)
        if (!isAppend(member)) return null
        const never = unstorable(member)
        if (never !== null) return never
        const id = idOf(subjectOf(source, member.entry), member.id)
        if (ids.has(id) || fresh.has(id)) return { outcome: 'duplicate' }
        fresh.add(id)
        const event = eventMessage(source, member, { topic, partition: place(source, member.entry) }, term)
        events.push(event)
        return { event }
      })
      const moved = [...reached].flatMap(([entry, position]) =>
        valueMessages(state.topic, positionPrefix(source) + entry, Buffer.from(JSON.stringify(position))),
      )
      try {
        const offsets = await transactions.write([...events, ...moved], [...consumed.values()], refused)
        remember(ids, fresh)
        for (const [entry, position] of reached) known.positions.set(entry, position)
        const at = new Map(events.map((event, i) => [event, offsets[i]!]))
        return outcomes.map((one) => {
          if (one === null) return { outcome: 'stored', seq: 0 }
          return 'event' in one ? { outcome: 'stored', seq: seq(one.event.partition, at.get(one.event)!) } : one
        })
      } catch (thrown) {
        const error = isVedetteError(thrown) ? thrown : fail('OUTCOME_UNKNOWN', String(thrown))
        const outcome = error.code === 'FENCED' ? 'fenced' : 'unknown'
        known.doubtful ||= outcome === 'unknown'
        return batch.map(() => ({ outcome, error }))
      }
    },
    async saveSnapshot(entry, bytes) {
      await transactions.write(valueMessages(state.topic, snapshotKey(source, entry), Buffer.from(bytes)))
    },
    retire() {
      transactions.end(fail('FENCED', 'this replica has claimed a newer term'))
    },
  }
}
