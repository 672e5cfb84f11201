/**
 * Deliveries that are handed over and not yet acknowledged. They are worked on side by side and acknowledged in the order in
 * which they came.
 */
export interface AckWindow<Delivery> {
  /** Starts `work` on a delivery. It gives `rejected` when it has told the origin itself that the delivery is done with. */
  add(delivery: Delivery, work: () => Promise<'published' | 'rejected'>): void
  /** Resolves when fewer than `limit` are worked on. */
  room(limit: number): Promise<void>
  /** Rejects with the first failure. That delivery, and all after it, are never acknowledged. */
  readonly failed: Promise<never>
  /** Resolves when no work is left. Never rejects. */
  settled(): Promise<void>
}

/** @param ack acknowledges deliveries, in their order; everything before the last of them has been or is among them */
export function ackWindow<Delivery>(ack: (run: [Delivery, ...Delivery[]]) => void): AckWindow<Delivery> {
  const open: { delivery: Delivery; outcome: 'published' | 'rejected' | null }[] = []
  let running = 0
  /** Those who wait until fewer are worked on. */
  const waiting = new Set<() => void>()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})

  const advance = (): void => {
    const run: Delivery[] = []
    for (let first = open[0]; first !== undefined && first.outcome !== null; first = open[0]) {
      if (first.outcome === 'published') run.push(first.delivery)
      open.shift()
    }
    const [first, ...others] = run
    if (first !== undefined) ack([first, ...others])
  }

  const fewerThan = (limit: number): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if (running >= limit) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })

  return {
    add(delivery, work) {
      const one: (typeof open)[number] = { delivery, outcome: null }
      open.push(one)
      running++
      void work()
        .then((outcome) => {
          one.outcome = outcome
          advance()
        })
        .catch((error: unknown) => failure.reject(error))
        .then(() => {
          running--
          for (const look of waiting) look()
        })
    },
    room: (limit) => fewerThan(limit),
    failed: failure.promise,
    settled: () => fewerThan(1),
  }
}
