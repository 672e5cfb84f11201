/**
 * Terms: whole numbers that grow by each claim. They are read back from buses and locks on which others may write, so what is none counts for
 * nothing, and none is so large that nothing could follow it.
 */

/** Whether it can have been written by a claim. */
export const isTerm = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/**
 * The term after all of these. Only somebody who forges a record comes near the end of numbers; there it grows no more, and terms are still told
 * apart, since no fence compares numbers alone: it is a sequence number (JetStream), an epoch (Kafka), or number and nonce (embedded).
 */
export const nextTerm = (...seen: (number | undefined)[]): number =>
  Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, ...seen.filter(isTerm)) + 1)
