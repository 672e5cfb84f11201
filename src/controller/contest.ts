/**
 * Objects that somebody else changes as often as we put them back: another controller, an autoscaler. They are noticed, and put back ever more
 * rarely, so that nobody is kept busy by it.
 */
import type { Clock } from '../core/clock.ts'
import type { KubeObject } from '../kube/resources.ts'
import { MANAGER } from './objects.ts'

export interface Contests {
  /** Called when what we applied has been changed. @returns false: it is fought over, and is to be left alone for now */
  mayRepair(id: string): boolean
  /** Until when it is left alone, milliseconds of `clock.now()`; null: nobody fights over it. */
  contested(id: string): number | null
}

/** So often within so long is no accident. */
const REPAIRS = 5
const WINDOW_MS = 120_000
/** How long it is left alone: twice as long each time. */
const FIRST_MS = 10_000
const MOST_MS = 600_000

interface Contest {
  /** When it was put back, milliseconds. */
  at: number[]
  /** 0: it is not fought over. */
  pauseMs: number
  until: number
  /** When it was put back after the pause. */
  triedAt: number | null
}

export function createContests(clock: Clock): Contests {
  const contests = new Map<string, Contest>()

  /** Forgotten when what was put back has lasted. */
  const current = (id: string): Contest | undefined => {
    const one = contests.get(id)
    const now = clock.now()
    if (one === undefined) return undefined
    const lasted =
      one.pauseMs === 0 ? one.at.every((at) => now - at > WINDOW_MS) : now - (one.triedAt ?? now) > WINDOW_MS
    if (!lasted) return one
    contests.delete(id)
    return undefined
  }

  return {
    mayRepair(id) {
      const now = clock.now()
      const one = current(id) ?? { at: [], pauseMs: 0, until: 0, triedAt: null }
      contests.set(id, one)
      if (now < one.until) return false
      if (one.pauseMs > 0 && one.triedAt === null) {
        one.triedAt = now
        return true
      }
      one.at = [...one.at.filter((at) => now - at <= WINDOW_MS), now]
      if (one.pauseMs === 0 && one.at.length < REPAIRS) return true
      one.pauseMs = Math.min(MOST_MS, Math.max(FIRST_MS, one.pauseMs * 2))
      one.until = now + one.pauseMs
      one.triedAt = null
      return false
    },
    contested(id) {
      const one = current(id)
      return one === undefined || one.pauseMs === 0 ? null : one.until
    },
  }
}

interface ManagedFields {
  manager?: string
  subresource?: string
  time?: string
}

/** Who changed it last, as the API server keeps it: the field manager, with the subresource by which it was done. */
export function lastChangedBy(live: KubeObject): string {
  const changes = ((live.metadata.managedFields ?? []) as ManagedFields[])
    .filter(({ subresource }) => subresource !== 'status')
    // Of the same second the other's comes first.
    .sort((a, b) => order(b.time, a.time) || Number(a.manager === MANAGER) - Number(b.manager === MANAGER))
  const { manager = 'unknown', subresource } = changes[0] ?? {}
  if (manager === MANAGER) return `another ${MANAGER}`
  return subresource === undefined ? `"${manager}"` : `"${manager}" (${subresource})`
}

const order = (a = '', b = '') => (a < b ? -1 : a > b ? 1 : 0)
