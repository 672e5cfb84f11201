/** Numbered messages at a steady rate. None is sent twice: what a broker did not take for sure may be there or not. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Broker } from '../origins/broker.ts'
import type { Span } from './spans.ts'

/** A message, and the time in which it was sent. */
export interface Sent extends Span {
  n: number
  /** The broker has said that it has it. */
  sure: boolean
}

export interface Numbers {
  /** In their order. */
  readonly sent: readonly Sent[]
  /** Sends no more; what is under way is waited for. */
  stop(): Promise<void>
}

const PER_SECOND = 25
const MOST_AT_ONCE = 10
const PATIENCE_MS = 12_000

export function sendNumbers(broker: Pick<Broker, 'send'>): Numbers {
  const sent: Sent[] = []
  const startedMs = performance.now()
  let sending = true
  /** Numbers that were skipped while the broker took nothing are no debt. */
  let debt = 0
  const run = async () => {
    while (sending) {
      const due = Math.floor(((performance.now() - startedMs) / 1_000) * PER_SECOND) - debt - sent.length
      if (due < 1) {
        await pause(10)
        continue
      }
      const count = Math.min(due, MOST_AT_ONCE)
      const first = sent.length
      const fromMs = Date.now()
      const texts = Array.from({ length: count }, (_, i) => JSON.stringify({ n: first + i }))
      const sure = await Promise.race([
        broker.send(texts).then(
          () => true,
          () => false,
        ),
        pause(PATIENCE_MS, false, { ref: false }),
      ])
      const toMs = Date.now()
      for (let i = 0; i < count; i++) sent.push({ n: first + i, fromMs, toMs, sure })
      if (!sure) {
        await pause(250)
        debt = Math.floor(((performance.now() - startedMs) / 1_000) * PER_SECOND) - sent.length
      }
    }
  }
  const done = run()
  return {
    sent,
    async stop() {
      sending = false
      await done
    },
  }
}
