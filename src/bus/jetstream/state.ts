/** What the log holds, as the stream counts it. */
import type { JetStreamManager } from '@nats-io/jetstream'
import type { LogState } from '../bus.ts'
import { asked, lastOn } from './claim.ts'
import { isTermSubject } from './message.ts'
import { header } from './record.ts'
import { STREAM, SUBJECTS } from './stream.ts'

type EntryState = LogState['entries'][number]

/** Questions in flight at a time. */
const AT_ONCE = 16

/**
 * Counts are per subject, so two namespaces that use one bus with equal names share one: it is shown for the one that stored last.
 * @returns a function that asks anew; @throws BUS_UNAVAILABLE
 */
export function createLogState(): (jsm: JetStreamManager) => Promise<LogState> {
  /** The last message of a subject is asked for only when something was stored since. */
  let known = new Map<string, EntryState>()
  let knownAt = -1
  return async (jsm) => {
    const { state, created } = await asked(() => jsm.streams.info(STREAM, { subjects_filter: SUBJECTS }))
    const subjects = Object.entries(state.subjects ?? {}).filter(([subject]) => !isTermSubject(subject))
    const fresh = new Map<string, EntryState>()
    const look = async ([subject, published]: [string, number]) => {
      const before = known.get(subject)
      const unchanged = before !== undefined && knownAt === state.last_seq
      const entry = unchanged ? before : await lookAt(jsm, subject)
      if (entry !== null) fresh.set(subject, { ...entry, published })
    }
    for (let i = 0; i < subjects.length; i += AT_ONCE) await Promise.all(subjects.slice(i, i + AT_ONCE).map(look))
    known = fresh
    knownAt = state.last_seq
    return {
      log: created,
      firstSeq: state.messages === 0 ? 0 : state.first_seq,
      lastSeq: state.last_seq,
      messages: state.messages,
      bytes: state.bytes,
      entries: [...fresh.values()],
    }
  }
}

async function lookAt(jsm: JetStreamManager, subject: string): Promise<EntryState | null> {
  const last = await lastOn(jsm, subject)
  if (last === null) return null
  const [, eventSource, entry] = subject.split('.') as [string, string, string]
  return { namespace: last.header.get(header.namespace), eventSource, entry, published: 0, lastMs: last.time.getTime() }
}
