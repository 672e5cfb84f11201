import { fail } from '../core/errors.ts'
import { check } from './checker.ts'
import { evaluate, type Run } from './evaluate.ts'
import { formatValue } from './format.ts'
import { Meter } from './limits.ts'
import { optimize } from './optimizer.ts'
import { parse } from './parser.ts'
import { environment } from './payload.ts'
import { Problem, placeOf } from './problem.ts'
import { fromBytes } from './text.ts'
import type { Value } from './values.ts'

/** An event filter, ready to be asked about events. */
export interface CompiledFilter {
  readonly expression: string
  /**
   * True when the event shall be published.
   * @param data the payload, JSON text (or its bytes, UTF-8)
   * @throws FILTER_INVALID when the evaluation fails, costs too much, or gives something other than a bool; upstream
   * drops the event then
   */
  matches(data: string | Uint8Array): boolean
}

/**
 * Compiles an expression of upstream's filter language: expr 1.15.5 with `asInt`, `asFloat`, `toJson`, `jsonpath` and
 * `sprig` (docs/filters.md). Nothing an expression or an event holds can do more than fail: work, memory and depth are
 * bounded (limits.ts), and expressions reach nothing outside the event.
 * @throws FILTER_INVALID with the place and what is wrong there
 */
export function compileFilter(expression: string): CompiledFilter {
  const root = attempt(expression, () => {
    const tree = parse(expression)
    check(tree)
    return optimize(tree)
  })
  return {
    expression,
    matches(data) {
      const text =
        typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString()
      let run: Run | undefined
      return attempt(
        expression,
        () => {
          const meter = new Meter()
          run = {
            env: environment(text, meter),
            meter,
            variables: undefined,
            loop: undefined,
            broken: false,
            at: 0,
          }
          return asBool(evaluate(root, run))
        },
        () => run?.at,
      )
    },
  }
}

function asBool(value: Value): boolean {
  if (typeof value === 'boolean') return value
  let text = '?'
  try {
    text = fromBytes(formatValue(value, new Meter()))
  } catch (error) {
    if (!(error instanceof Problem)) throw error
  }
  throw new Problem(
    `unable to cast expression result '${shorten(text, 80)}' to bool: the expression must give true or false`,
  )
}

const shorten = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text)

/** Runs `work`; what goes wrong becomes FILTER_INVALID. */
function attempt<T>(expression: string, work: () => T, at: () => number | undefined = () => undefined): T {
  try {
    return work()
  } catch (error) {
    // A stack overflow is the one error that bounds cannot rule out for every stack size.
    const message =
      error instanceof Problem ? error.message : error instanceof RangeError ? 'nested too deeply' : undefined
    if (message === undefined) throw error
    const offset = (error instanceof Problem ? error.at : undefined) ?? at()
    const place = offset === undefined ? '' : ` at ${placeOf(expression, offset)}`
    throw fail('FILTER_INVALID', `filter ${JSON.stringify(shorten(expression, 200))}${place}: ${message}`, {
      expression,
    })
  }
}
