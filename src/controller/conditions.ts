/** Conditions of a status: upstream's types and reasons (apis/events/v1alpha1/status_types.go), and when each last changed. */

export type Status = 'True' | 'False' | 'Unknown'

export interface Condition {
  type: string
  status: Status
  /** One word, for programs. */
  reason?: string
  /** For people. */
  message?: string
}

export interface DatedCondition extends Condition {
  /** RFC 3339: when `status` last changed. */
  lastTransitionTime: string
}

export function condition(type: string, status: Status, reason?: string, message?: string): Condition {
  return { type, status, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) }
}

/**
 * Warnings are conditions that are there, and True, only when something is wrong: upstream's Sensor controller takes a bus as
 * ready when every condition is True.
 */
export function warning(type: string, reason: string, message: string): Condition {
  return condition(type, 'True', reason, message)
}

/** @param before those of the object as it is; @param now milliseconds since the epoch; @returns sorted by type, as upstream */
export function dated(conditions: readonly Condition[], before: unknown, now: number): DatedCondition[] {
  const known: DatedCondition[] = Array.isArray(before) ? before : []
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`
  return conditions
    .map((one) => {
      const old = known.find(({ type }) => type === one.type)
      const lastTransitionTime = old?.status === one.status && old.lastTransitionTime ? old.lastTransitionTime : time
      return { ...one, lastTransitionTime }
    })
    .sort((a, b) => (a.type < b.type ? -1 : 1))
}

/** The first thing that is wrong, for the printer column. */
export function problemIn(conditions: readonly Condition[]): string | undefined {
  const bad =
    conditions.find(({ status }) => status === 'False') ?? conditions.find(({ status }) => status === 'Unknown')
  return bad === undefined ? undefined : (bad.message ?? bad.reason ?? bad.type)
}
