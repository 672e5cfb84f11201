/**
 * Every error Vedette throws on purpose has a code from this one closed table.
 * The class says who can act: `user` (fix the input), `transient` (wait, it is retried), `fenced` (a newer term
 * rules, step down), `bug` (ours). Exit codes follow from the class: 1 user, 3 transient, 70 bug.
 */
export const codes = {
  // the user's input
  USAGE: 'user',
  MANIFEST_INVALID: 'user',
  FILTER_INVALID: 'user',
  SPEC_INVALID: 'user',
  SECRET_MISSING: 'user',
  DATA_DIR_IN_USE: 'user',
  STORE_TOO_NEW: 'user',
  STORE_CORRUPT: 'user',
  PORT_IN_USE: 'user',
  EVENT_TOO_LARGE: 'user',
  EVENT_INVALID: 'user',
  // a record beside the log: a snapshot, a value
  VALUE_TOO_LARGE: 'user',
  SOURCE_UNKNOWN: 'user',
  KUBERNETES_CONFIG: 'user',
  KUBERNETES_FORBIDDEN: 'user',
  KUBERNETES_INVALID: 'user',
  // waiting helps
  BUS_UNAVAILABLE: 'transient',
  BUS_FULL: 'transient',
  BUS_BUSY: 'transient',
  OUTCOME_UNKNOWN: 'transient',
  LOCK_UNAVAILABLE: 'transient',
  NOT_RUNNING: 'transient',
  ORIGIN_UNAVAILABLE: 'transient',
  STALLED: 'transient',
  SHUTTING_DOWN: 'transient',
  KUBERNETES_UNAVAILABLE: 'transient',
  KUBERNETES_CONFLICT: 'transient',
  KUBERNETES_GONE: 'transient',
  // a newer term or incarnation rules
  FENCED: 'fenced',
  NOT_LEADING: 'fenced',
  // ours
  BUG: 'bug',
} as const

export type ErrorCode = keyof typeof codes
export type ErrorClass = (typeof codes)[ErrorCode]

/** An error with a code from the table. `message` carries the offending value and the remedy. */
export class VedetteError extends Error {
  override readonly name = 'VedetteError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }

  get class(): ErrorClass {
    return codes[this.code]
  }
}

/** Makes the error to throw: `throw fail('FENCED', 'term 3 was superseded by term 4', { term: 3 })`. */
export function fail(
  code: ErrorCode,
  message: string,
  details?: Record<string, unknown>,
  options?: ErrorOptions,
): VedetteError {
  return new VedetteError(code, message, details, options)
}

/** True when `error` is ours and, if codes are given, has one of them. */
export function isVedetteError(error: unknown, ...wanted: ErrorCode[]): error is VedetteError {
  return error instanceof VedetteError && (wanted.length === 0 || wanted.includes(error.code))
}

/** The text of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** True for the rejection that an aborted `AbortSignal` causes. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || (error as { code?: string }).code === 'ABORT_ERR')
}

/** The process exit code for an error: 1 the user's input, 2 usage, 3 a needed service, 70 our bug. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof VedetteError)) return 70
  if (error.code === 'USAGE') return 2
  return { user: 1, transient: 3, fenced: 3, bug: 70 }[error.class]
}
