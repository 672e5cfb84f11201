import { createHash } from 'node:crypto'
import { withoutCredentials } from '../core/url-credentials.ts'
import type { SourceDefinition } from '../source.ts'

/**
 * A short digest of the fields that say what an entry reads. Kept with positions and in ids: edited to another origin under
 * the same name, an entry starts afresh instead of resuming at a place that means nothing there. Credentials of URLs do not count: renewed ones are
 * the same origin, and nothing that stays on the bus is made of them.
 */
export function fingerprintOf(definition: SourceDefinition<any, any>, spec: unknown): string {
  const identity = definition.identity?.(spec)
  if (identity === undefined) return ''
  return createHash('sha256').update(canonical(identity)).digest('hex').slice(0, 8)
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'string') return JSON.stringify(withoutCredentials(value))
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`)
    .join(',')}}`
}

/** A position as it is stored: with the fingerprint of what it is a position in. */
export interface StoredPosition {
  f: string
  p: unknown
}

/** The position to resume at, or null when there is none, it belongs to another origin, or it is none of this type. */
export function positionFor(fingerprint: string, stored: unknown, type?: SourceDefinition['position']): unknown {
  if (stored === null || typeof stored !== 'object') return null
  const { f, p } = stored as Partial<StoredPosition>
  if (f !== fingerprint || p == null) return null
  return type === undefined || type.safeParse(p).success ? p : null
}
