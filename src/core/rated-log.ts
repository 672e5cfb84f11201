/** Log lines that strangers can cause as often as they like. */
import type { Clock } from './clock.ts'
import type { Logger, LogLevel } from './log.ts'
import { seldom } from './seldom.ts'

const EVERY_MS = 60_000
/** More kinds of lines than anybody has; beyond them all count as one. */
const MOST_KINDS = 100

/**
 * A logger that writes a kind of line at once, and then at most once a minute, with how many were `leftOut` since. What stands before a
 * line's first colon is its kind: what follows may be a stranger's text. Debug lines are not rated.
 * @param everyMs how often a kind is written at most
 */
export function ratedLogger(log: Logger, clock: Pick<Clock, 'monotonic'>, everyMs = EVERY_MS): Logger {
  const kinds = new Map<string, ReturnType<typeof seldom>>()

  const at =
    (level: Exclude<LogLevel, 'debug'>): Logger['info'] =>
    (message, fields = {}) => {
      const named = `${level} ${message.split(':', 1)[0]}`
      const name = kinds.has(named) || kinds.size < MOST_KINDS ? named : 'more'
      const sometimes = kinds.get(name) ?? seldom(clock, everyMs)
      kinds.set(name, sometimes)
      sometimes((leftOut) => log[level](message, { ...fields, ...leftOut }))
    }
  return {
    debug: (message, fields) => log.debug(message, fields),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => ratedLogger(log.child(fields), clock, everyMs),
  }
}
