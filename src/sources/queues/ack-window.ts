/**
 * Deliveries that are handed over and not yet acknowledged. They are worked on side by side and acknowledged in the order in
 * which they came.
 */
export interface AckWindow<Delivery> {
  /**
   * Starts `work` on a delivery. It gives `rejected` when it has told the origin itself that the delivery is done with.
   * @param bytes that the delivery takes meanwhile
   */
  add(delivery: Delivery, work: () => Promise<'published' | 'rejected'>, bytes?: number): void
  /** Resolves when fewer than `limit` are worked on, and fewer than `mostBytes` bytes. */
  room(limit: number, mostBytes?: number): Promise<void>
  /** Rejects with the first failure. That delivery, and all after it, are never acknowledged. */
  readonly failed: Promise<never>
  /** Resolves when no work is left. Never rejects. */
  settled(): Promise<void>
}

/** @param ack acknowledges deliveries, in their order; everything before the last of them has been or is among them */
export function ackWindow<Delivery>(ack: (run: [Delivery, ...Delivery[]]) => void): AckWindow<Delivery> {
  const open: { delivery: Delivery; outcome: 'published' | 'rejected' | null }[] = []
  let running = 0
  let runningBytes = 0
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

  const room = (limit: number, mostBytes = Number.POSITIVE_INFINITY): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if (running >= limit || runningBytes >= mostBytes) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })

  return {
    add(delivery, work, bytes = 0) {
      const one: (typeof open)[number] = { delivery, outcome: null }
      open.push(one)
      running++
      runningBytes += bytes
      void work()
        .then((outcome) => {
          one.outcome = outcome
          advance()
        })
        .catch((error: unknown) => failure.reject(error))
        .then(() => {
          running--
          runningBytes -= bytes
          for (const look of waiting) look()
        })
    },
    room,
    failed: failure.promise,
    settled: () => room(1),
  }
}
