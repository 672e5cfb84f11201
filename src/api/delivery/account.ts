/** What became of the deliveries, and what holds them up: the counts, the words of status, and one log line per change. */
import type { Stored } from '../../bus/bus.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { rfc3339Nano } from '../../core/event.ts'
import type { Logger } from '../../core/log.ts'
import type { DeliveryStatus } from '../status.ts'
import type { Refusal } from './answer.ts'
import type { Place } from './place.ts'

export interface Account {
  /** An event is in hand; null: there is none. */
  holds(stored: Stored | null): void
  /** The receiver took it. */
  taken(): void
  /** The receiver did not take it, and will be asked again in `waitMs`. */
  refused(refusal: Refusal, waitMs: number): void
  /** The sequence number of the event in hand. */
  readonly inHand: number | null
  /** How often it was refused. */
  readonly refusals: number
  /** The log cannot be read. */
  unread(error: unknown): void
  /** It can again. */
  read(): void
  /** The bus let events go that were not delivered. @param to sequence number of the last one */
  lost(count: number, to: number): void
  /** How many sequence numbers after the event in hand the bus has let go by now. */
  dropping(count: number): void
  /** The log is another one. */
  remade(from: number, to: number): void
  /** The newest sequence number. */
  head(seq: number): void
  status(place: Place): DeliveryStatus
}

interface Trouble {
  /** Of `receiver`, the reason, as it is counted. */
  kind: 'log' | 'receiver'
  text: string
  reason: string
  sinceMs: number
  saidMs: number
  saidReason: string
}

/** A receiver that refuses for another reason each time is not logged each time. */
const SAY_AGAIN_MS = 60_000

export function createAccount({ shown, clock, log }: { shown: string; clock: Clock; log: Logger }): Account {
  let [attempts, delivered, newest, dropped] = [0, 0, 0, 0]
  const refusedBy: Record<string, number> = {}
  let inHand: { stored: Stored; refusals: number; nextMs: number | null } | null = null
  let trouble: Trouble | null = null
  const url = shown

  const begin = (kind: Trouble['kind'], text: string, reason: string): void => {
    const now = clock.now()
    const before = trouble?.kind === kind ? trouble : null
    const said = before !== null && (before.saidReason === reason || now - before.saidMs < SAY_AGAIN_MS)
    trouble = {
      kind,
      text,
      reason,
      sinceMs: trouble?.sinceMs ?? now,
      saidMs: said ? before.saidMs : now,
      saidReason: said ? before.saidReason : reason,
    }
    if (said) return
    const of =
      inHand === null ? {} : { eventID: inHand.stored.id, seq: inHand.stored.seq, subject: inHand.stored.subject }
    log.warn('delivery fails; it is tried again until it works', { url, error: text, ...(kind === 'log' ? {} : of) })
  }
  const end = (kind: Trouble['kind']): void => {
    if (trouble?.kind !== kind) return
    log.info('delivery goes on', { url, afterMs: Math.round(clock.now() - trouble.sinceMs) })
    trouble = null
  }

  return {
    holds(stored) {
      inHand = stored === null ? null : { stored, refusals: 0, nextMs: null }
      dropped = 0
      if (stored !== null) newest = Math.max(newest, stored.seq)
    },
    taken() {
      attempts++
      delivered++
      end('receiver')
      inHand = null
      dropped = 0
    },
    refused({ reason, why }, waitMs) {
      attempts++
      refusedBy[reason] = (refusedBy[reason] ?? 0) + 1
      if (inHand !== null) {
        inHand.refusals++
        inHand.nextMs = clock.now() + waitMs
      }
      begin('receiver', why, reason)
    },
    get inHand() {
      return inHand?.stored.seq ?? null
    },
    get refusals() {
      return inHand?.refusals ?? 0
    },
    unread(error) {
      begin('log', `the log cannot be read: ${messageOf(error)}`, messageOf(error))
    },
    read: () => end('log'),
    lost(count, to) {
      log.error('the bus let events go before they could be delivered: they are lost to this receiver', {
        url,
        atMost: count,
        lastSeq: to,
      })
    },
    dropping(count) {
      if (inHand === null) return
      if (count > 0 && dropped === 0)
        log.error('the bus lets events go that are not delivered yet, by its limits of age and size', {
          url,
          heldSeq: inHand.stored.seq,
          atMost: count,
        })
      dropped = count
    },
    remade(from, to) {
      log.error('the log was made anew or has gone back: deliveries begin again with its oldest event', {
        url,
        cursorWas: from,
        cursor: to,
      })
    },
    head(seq) {
      newest = seq
    },
    status({ seq, lost }) {
      const held = trouble?.kind === 'receiver' ? inHand : null
      return {
        url,
        delivered,
        attempts,
        refused: { ...refusedBy },
        lost,
        cursor: seq,
        head: Math.max(newest, seq),
        error: trouble?.text ?? null,
        ...(trouble === null ? {} : { errorSince: rfc3339Nano(trouble.sinceMs) }),
        ...(inHand === null ? {} : { oldestAt: rfc3339Nano(inHand.stored.timeMs) }),
        ...(held === null
          ? {}
          : {
              held: {
                id: held.stored.id,
                seq: held.stored.seq,
                subject: held.stored.subject,
                namespace: held.stored.namespace,
                refusals: held.refusals,
                nextAttemptAt: held.nextMs === null ? null : rfc3339Nano(held.nextMs),
                ...(dropped > 0 ? { droppedAfter: dropped } : {}),
              },
            }),
      }
    },
  }
}
