/** MinIO's notifications, as it sends them and as events have them; which of them a listing shows, too. */
export const CREATED = 's3:ObjectCreated:'
export const REMOVED = 's3:ObjectRemoved:'

/** Kinds that write an object. */
export const CREATES = /^s3:ObjectCreated:(Put|Post|Copy|CompleteMultipartUpload)$/

/** A record, as far as it is read here. */
export interface Heard {
  eventName?: string
  s3?: { object?: { key?: string; sequencer?: string; versionId?: string } }
}

/** The same, whether MinIO told it or a listing showed it. */
export function idOf(name: string, key: string, modifiedMs: number): string {
  return `${name.startsWith(REMOVED) ? REMOVED : CREATED}${modifiedMs}:${key}`
}

/** MinIO's sequencer of an object is its time of writing. */
export const writtenMs = (sequencer: string): number =>
  SEQUENCER.test(sequencer) ? Number(BigInt(`0x${sequencer}`) / 1_000_000n) : Number.NaN
export const SEQUENCER = /^[0-9a-f]{1,16}$/i

/** Those of an event's payload. */
export function recordsIn(data: string): Heard[] {
  try {
    const { notification } = JSON.parse(data) as { notification?: unknown }
    return Array.isArray(notification) ? (notification as Heard[]) : []
  } catch {
    return []
  }
}
