/** Where an entry stands in its hub, and where it begins. */
import type { FollowContext } from '../../source.ts'
import type { HubDescription, Management } from './management.ts'
import type { AzureEventsHubSpec } from './spec.ts'

export interface HubPosition {
  /** When the hub was made: tells it from another one of the same name. */
  created: number
  /** How often sequence numbers began anew (the hub was made again): part of the ids of events when it is not 0. */
  resets: number
  /** The sequence number of the last event of each partition; -1: it is read from its start. */
  numbers: Record<string, number>
}

/** Where the hub ends now. */
export async function endOf(hub: Pick<Management, 'partition' | 'describe'>): Promise<HubPosition> {
  const { created, partitions } = await hub.describe()
  const ends = await Promise.all(partitions.map(async (id) => [id, (await hub.partition(id)).last] as const))
  return { created, resets: 0, numbers: Object.fromEntries(ends) }
}

/**
 * After the last event on the bus; the first time with what comes, as upstream; after Argo Events' own Pods with what came since they were seen. A partition that was not there before is read
 * from its start, and so is a hub that was made anew.
 */
export async function whereToBegin(
  {
    spec,
    log,
    resume,
    skip,
    predecessor,
  }: Pick<FollowContext<AzureEventsHubSpec, HubPosition>, 'spec' | 'log' | 'resume' | 'skip' | 'predecessor'>,
  hub: Pick<Management, 'partition'>,
  { created, partitions }: HubDescription,
): Promise<HubPosition> {
  const stored = resume()
  if (stored !== null && stored.created !== created) {
    log.warn('the event hub was made anew: read from its start', { hub: spec.hubName })
    return { created, resets: stored.resets + 1, numbers: Object.fromEntries(partitions.map((id) => [id, -1])) }
  }
  const before = stored === null ? (predecessor()?.seen?.look as HubPosition | undefined) : undefined
  const seen = before?.created === created ? before : undefined
  const position: HubPosition = stored === null ? { created, resets: 0, numbers: {} } : structuredClone(stored)
  const bounds = await Promise.all(partitions.map(async (id) => ({ id, ...(await hub.partition(id)) })))
  let cutBack = false
  for (const { id, first, last } of bounds) {
    const known = position.numbers[id]
    if (stored === null) position.numbers[id] = Math.min(seen?.numbers[id] ?? last, last)
    else if (known === undefined) position.numbers[id] = -1
    else if (known > last) {
      const why = new Error(`the service lost them (it has ${last}, ${known} was read)`)
      skip(`sequence numbers from ${last + 1} of partition ${id} of ${spec.hubName}`, why)
      position.numbers[id] = last
      cutBack = true
    } else if (known + 1 < first && known >= 0) {
      skipRemoved({ spec, skip }, id, known + 1, first - 1)
      position.numbers[id] = first - 1
    }
  }
  if (cutBack) position.resets++
  return position
}

/** Says which events retention took before they were read. */
export function skipRemoved(
  { spec, skip }: Pick<FollowContext<AzureEventsHubSpec>, 'spec' | 'skip'>,
  partition: string,
  from: number,
  to: number,
): void {
  const why = new Error('the retention of the hub removed them before they were read')
  skip(`sequence numbers ${from} to ${to} of partition ${partition} of ${spec.hubName}`, why)
}
