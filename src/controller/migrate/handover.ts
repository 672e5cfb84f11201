/** What the hand-over from Argo Events' Pods to ours, or the other way round, may lose or double, by type. */
import type { Guarantee, Strategy } from '../../source.ts'

export interface Served {
  type: string
  strategy: Strategy
  guarantee: Guarantee
}

const FILES = 'what came after the last that theirs told is told of; what came and went meanwhile is not'

/** Types that keep their place themselves: the first term of ours begins where theirs stopped. */
const FOLLOWS: Record<string, string> = {
  calendar: 'ticks that were due meanwhile are made up for, if the last of theirs is on the bus and at most 60 s old',
  file: FILES,
  hdfs: FILES,
  minio: FILES,
  resource:
    'every change after the last that theirs told is told of; once the API server has forgotten it (minutes), of several updates of one object the last',
  azureEventsHub:
    'what came after our look at the hub is received again, equal content tells what theirs told; what they had not told yet then is lost',
}

/** @returns undefined: nothing */
export function lossOf({ type, strategy, guarantee }: Served): string | undefined {
  if (FOLLOWS[type] !== undefined) return FOLLOWS[type]
  if (strategy === 'active-active')
    return 'a request that a Pod is handling as it ends may be sent again by its sender, under another id: doubled at most'
  if (guarantee === 'hot-standby')
    return 'the origin keeps nothing, but our Pods listen before they lead: what it said meanwhile is told, what theirs have published is known by its content'
  if (guarantee === 'at-most-once')
    return 'the origin keeps nothing for who is not connected: what it says between the last of their Pods and the lead of ours is lost (about a second)'
  return 'the origin keeps the place: what was not acknowledged is delivered again, under another id: doubled at most'
}
