/**
 * What is wrong with an expression or its evaluation, before it is known which filter it belongs to. Everything below
 * `filter.ts` throws this; `filter.ts` turns it into FILTER_INVALID with the expression and the place.
 *
 * Not an Error on purpose: it is thrown and swallowed inside loops (`get`, JSONPath), where taking a stack each time
 * would cost more than everything else, and it never leaves this room.
 */
export class Problem {
  readonly message: string
  /** Offset into the expression (UTF-16 units), when known. */
  readonly at: number | undefined

  constructor(message: string, at?: number) {
    this.message = message
    this.at = at
  }
}

/** A bound of limits.ts was reached. Unlike other problems, nothing may swallow it. */
export class Exhausted extends Problem {}

/** The result of `work`, or `otherwise` where it has a problem (but not when it is exhausted). */
export function swallow<T>(work: () => T, otherwise: T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof Problem && !(error instanceof Exhausted)) return otherwise
    throw error
  }
}

/** `line:column` of an offset, both from 1. */
export function placeOf(text: string, at: number): string {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  return `${line}:${at - before.lastIndexOf('\n')}`
}
