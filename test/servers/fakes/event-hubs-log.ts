/** The hubs of the Event Hubs double: partitions of messages, in a file too, so that they outlive the process. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

export interface HubEntry {
  /** The whole AMQP message as its sender encoded it, base64. */
  message: string
  enqueuedMs: number
}

export interface HubPartition {
  /** The sequence number of `entries[0]`. */
  first: number
  /** Null: compaction has left it out. */
  entries: (HubEntry | null)[]
}

export interface HubState {
  createdMs: number
  partitions: HubPartition[]
}

export interface HubLog {
  get(hub: string): HubState | undefined
  /** Makes a hub; one that is there is made anew. */
  make(hub: string, partitions: number): void
  /** Adds a partition. */
  grow(hub: string): void
  append(hub: string, partition: number, message: Buffer): void
  /** As compaction does: a later event has the same key. */
  leaveOut(hub: string, partition: number, number: number): void
  /** As retention does: everything below a sequence number is gone. */
  removeBefore(hub: string, partition: number, number: number): void
  /** As an unplanned failover does: everything from a sequence number on is gone. */
  cutFrom(hub: string, partition: number, number: number): void
}

type Change =
  | { made: number; partitions: number }
  | { grown: true }
  | { partition: number; entry: HubEntry }
  | { partition: number; leftOut: number }
  | { partition: number; before: number }
  | { partition: number; from: number }

export function openHubLog(file: string): HubLog {
  const hubs = new Map<string, HubState>()
  const none = (): HubPartition => ({ first: 0, entries: [] })
  const apply = (name: string, change: Change): void => {
    if ('made' in change) {
      hubs.set(name, { createdMs: change.made, partitions: Array.from({ length: change.partitions }, none) })
      return
    }
    const { partitions } = hubs.get(name)!
    if ('grown' in change) {
      partitions.push(none())
      return
    }
    const partition = partitions[change.partition]!
    if ('entry' in change) partition.entries.push(change.entry)
    else if ('leftOut' in change) partition.entries[change.leftOut - partition.first] = null
    else if ('from' in change) partition.entries.splice(Math.max(0, change.from - partition.first))
    else if (change.before > partition.first) {
      partition.entries.splice(0, change.before - partition.first)
      partition.first = change.before
    }
  }
  if (existsSync(file)) {
    for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const { hub, ...change } = JSON.parse(line)
      apply(hub, change as Change)
    }
  }
  const write = (hub: string, change: Change): void => {
    appendFileSync(file, `${JSON.stringify({ hub, ...change })}\n`)
    apply(hub, change)
  }
  return {
    get: (hub) => hubs.get(hub),
    make: (hub, partitions) =>
      write(hub, { made: Math.max(Date.now(), (hubs.get(hub)?.createdMs ?? 0) + 1), partitions }),
    grow: (hub) => write(hub, { grown: true }),
    append: (hub, partition, message) =>
      write(hub, { partition, entry: { message: message.toString('base64'), enqueuedMs: Date.now() } }),
    leaveOut: (hub, partition, number) => write(hub, { partition, leftOut: number }),
    removeBefore: (hub, partition, number) => write(hub, { partition, before: number }),
    cutFrom: (hub, partition, number) => write(hub, { partition, from: number }),
  }
}

/** The sequence number of the last event, -1 when there never was one. */
export const lastOf = ({ first, entries }: HubPartition): number => first + entries.length - 1
