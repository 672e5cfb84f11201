import { Exhausted } from './problem.ts'

/**
 * Upper bounds on what one filter may cost. They are counted, not timed, so that all replicas decide alike about the
 * same event. Together they keep any expression on any payload near 100 ms and some tens of megabytes.
 */
export const limits = {
  /** Longest expression, UTF-16 units. */
  expression: 64 * 1024,
  /** Deepest nesting of an expression, and longest chain of operators of one precedence. */
  depth: 1000,
  /** Deepest nesting the parser follows (brackets, unary operators, ternaries). */
  nesting: 250,
  /** Deepest nesting of a payload, or of a value that an expression builds. */
  dataDepth: 1000,
  /** Work units of one evaluation, each about 0.1 µs: an AST node costs one, a function call some more, a text one per 32 bytes. */
  steps: 400_000,
  /** Elements of all arrays and maps made in one evaluation (upstream's own bound). */
  elements: 1_000_000,
  /** Bytes of all texts made in one evaluation. */
  bytes: 8 * 1024 * 1024,
  /** Longest regular expression, bytes. */
  pattern: 8 * 1024,
  /** Size of a regular expression when its counted repeats are written out. */
  patternSize: 5_000,
} as const

/** Counts what one evaluation costs; throws when it is too much. */
export class Meter {
  #steps = 0
  #elements = 0
  #bytes = 0

  #made = new Map<string, unknown>()

  /** Something costly that one evaluation may want again: a time zone, a compiled pattern. Making it costs `units`. */
  once<T>(key: string, units: number, make: () => T): T {
    if (!this.#made.has(key)) {
      this.spend(units)
      this.#made.set(key, make())
    }
    return this.#made.get(key) as T
  }

  /** Counts `units` of work. */
  spend(units: number): void {
    this.#steps += units
    if (this.#steps > limits.steps) throw new Exhausted('the expression does too much work on this event')
  }

  /** Counts an array or map of `count` elements that is about to be made, and the work of making it. */
  elements(count: number, units = count / 2): void {
    this.#elements += count
    if (this.#elements >= limits.elements) throw new Exhausted('memory budget exceeded: too many elements')
    this.spend(units)
  }

  /** Counts a text of `length` bytes that is about to be made. */
  text(length: number): void {
    this.#bytes += length
    if (this.#bytes > limits.bytes) throw new Exhausted('memory budget exceeded: too much text')
    this.spend(length / 32)
  }

  /** Counts work on each character of a text. */
  characters(length: number): void {
    this.spend(length * 2)
  }

  /** Counts the reading of a text. */
  scan(length: number): void {
    this.spend(length / 32)
  }
}
