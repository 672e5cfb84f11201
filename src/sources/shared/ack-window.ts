/**
 * Deliveries that are handed over and not yet acknowledged. They are worked on side by side and acknowledged in the order in
 * which they came: what is acknowledged, everything before it is too.
 */
export interface AckWindow<Delivery> {
  /** Starts `work` on a delivery. It gives `rejected` when it has told the origin itself that the delivery is done with. */
  add(delivery: Delivery, work: () => Promise<'published' | 'rejected'>): void
  /** Rejects with the first failure. That delivery, and all after it, are never acknowledged. */
  readonly failed: Promise<never>
  /** Resolves when no work is left. Never rejects. */
  settled(): Promise<void>
}

/** @param ack acknowledges a delivery and all before it; called for the last one of a run only */
export function ackWindow<Delivery>(ack: (upTo: Delivery) => void): AckWindow<Delivery> {
  const open: { delivery: Delivery; outcome: 'published' | 'rejected' | null }[] = []
  const running = new Set<Promise<void>>()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})

  const advance = (): void => {
    let last: Delivery | undefined
    for (let first = open[0]; first !== undefined && first.outcome !== null; first = open[0]) {
      if (first.outcome === 'published') last = first.delivery
      open.shift()
    }
    if (last !== undefined) ack(last)
  }

  return {
    add(delivery, work) {
      const one: (typeof open)[number] = { delivery, outcome: null }
      open.push(one)
      const mine: Promise<void> = work()
        .then((outcome) => {
          one.outcome = outcome
          advance()
        })
        .catch((error: unknown) => failure.reject(error))
        .then(() => void running.delete(mine))
      running.add(mine)
    },
    failed: failure.promise,
    async settled() {
      while (running.size > 0) await Promise.race(running)
    },
  }
}
