import pino from 'pino'
import { systemClock } from './clock.ts'
import { printable } from './printable.ts'
import { type Redact, redactedIn } from './redact.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** What every room logs through. Fields are the field's standard names (`eventSourceName`, `eventName`, …), never secrets. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
  /** A logger that adds `fields` to every line. */
  child(fields: Record<string, unknown>): Logger
}

/**
 * Nothing secret is in a line, nor anything that steers a terminal.
 * @param format `text` for people (stderr of `vedette run`), `json` with upstream's fields for Pods
 * (`{"level","ts","logger","msg",…}`)
 */
export function createLogger({
  format,
  level = 'info',
  name = 'vedette',
  redact,
  write,
}: {
  format: 'text' | 'json'
  level?: LogLevel
  name?: string
  redact: Redact
  write: (line: string) => void
}): Logger {
  const root = pino(
    {
      level,
      base: { logger: name },
      messageKey: 'msg',
      timestamp: () => `,"ts":"${new Date(systemClock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['authorization', 'token', 'password', 'secret', '*.authorization', '*.token', '*.password'],
        censor: '***',
      },
    },
    {
      write(line: string) {
        const { level, ts, logger, ...said } = JSON.parse(line) as Record<string, unknown>
        const shown = { level, ts, logger, ...redactedIn(said, redact) }
        write(`${printable(format === 'json' ? JSON.stringify(shown) : asText(shown))}\n`)
      },
    },
  )
  return wrap(root)
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}

/** @param bound what the logger adds already: pino would write a field that is given again a second time */
function wrap(log: pino.Logger, bound: Record<string, unknown> = {}): Logger {
  const fresh = (fields: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(fields).filter(([key, value]) => bound[key] !== value))
  const at =
    (level: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      if (log.isLevelEnabled(level)) log[level](fresh(withErrorText(fields)), message)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(log.child(fresh(fields)), { ...bound, ...fields }),
  }
}

function withErrorText(fields: Record<string, unknown>): Record<string, unknown> {
  return fields.error instanceof Error ? { ...fields, error: fields.error.message } : fields
}

function asText({ level, ts, logger: _, msg, ...fields }: Record<string, unknown>): string {
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`,
  )
  return `${String(ts).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${msg}${rest.join('')}`
}
