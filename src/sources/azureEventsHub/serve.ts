/** Receives from all partitions of a hub, publishes each in its order and all side by side, from where the bus says that it stands. */
import type { Message } from 'rhea-promise'
import { fail } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { EntryContext, FollowContext, PrepareContext } from '../../source.ts'
import { handOver } from '../queues/hand-over.ts'
import { type Hand, sideBySide } from '../queues/side-by-side.ts'
import { connectHub, type Hub, type Receiving } from './hub.ts'
import { payload, sequenceNumberOf } from './message.ts'
import { endOf, type HubPosition, skipRemoved, whereToBegin } from './position.ts'
import type { AzureEventsHubSpec } from './spec.ts'

/** Messages that may be under way to us, in all partitions together. */
export const IN_FLIGHT = 1_000
/** How often the hub is asked: it may have new partitions, be made anew, or be silent because it is gone. */
export const LOOK_MS = 5_000
/** So long a message may be on its way through Argo Events' own Pods to the bus. */
const UNDER_WAY_MS = 1_000
/** After so long without a look it stands still. */
const SILENT_MS = 60_000

type Context = FollowContext<AzureEventsHubSpec, HubPosition>

/** Connected and authorized, and the hub is there; receives nothing. */
export async function standBy(ctx: PrepareContext<AzureEventsHubSpec>): Promise<void> {
  const hub = await connectHub(ctx)
  ctx.keep(hub)
  const looking = async (): Promise<never> => {
    for (;;) {
      await hub.describe()
      ctx.condition(null)
      await ctx.clock.sleep(LOOK_MS, ctx.signal)
    }
  }
  await Promise.race([whenAborted(ctx.signal), hub.lost, looking()])
}

/** Where the hub ends while Argo Events' own Pods receive: they keep no place. */
export async function look(ctx: EntryContext<AzureEventsHubSpec>): Promise<HubPosition> {
  const hub = await connectHub(ctx)
  try {
    return await endOf(hub)
  } finally {
    await hub.close()
  }
}

export async function serveHub(ctx: Context): Promise<void> {
  const kept = ctx.kept() as Hub | null
  const hub = kept?.alive ? kept : await connectHub(ctx)
  const ended = new AbortController()
  // The credit of the links is the limit.
  const { hand, failed, settled } = sideBySide(Number.POSITIVE_INFINITY)
  try {
    await Promise.race([whenAborted(ctx.signal), hub.lost, failed, receiveAll(ctx, hub, hand, ended.signal)])
  } finally {
    ended.abort()
    await Promise.all([hub.close(), settled()])
  }
}

async function receiveAll(ctx: Context, hub: Hub, hand: Hand, ended: AbortSignal): Promise<never> {
  const { spec, clock } = ctx
  let found = await hub.describe()
  const position = await whereToBegin(ctx, hub, found)
  await ctx.advance(structuredClone(position))
  const told = toldByOthers(ctx)
  const receiving = new Set<string>()
  const share = Math.max(1, Math.floor(IN_FLIGHT / Math.max(1, found.partitions.length)))
  for (;;) {
    ctx.reading(SILENT_MS)
    if (found.created !== position.created)
      throw fail('ORIGIN_UNAVAILABLE', `${spec.fqdn}: the event hub ${spec.hubName} was made anew`)
    const added = found.partitions.filter((id) => !Object.hasOwn(position.numbers, id))
    for (const id of added) position.numbers[id] = -1
    if (added.length > 0) await ctx.advance(structuredClone(position))
    const fresh = found.partitions.filter((id) => !receiving.has(id))
    await Promise.all(fresh.map((id) => receivePartition({ ctx, hub, hand, ended, position, told }, id, share)))
    for (const id of fresh) receiving.add(id)
    // A link that is refused is opened first, then closed: that it is not comes before the answer to another question.
    if (fresh.length === 0) {
      ctx.condition(null)
      await clock.sleep(LOOK_MS, ended)
    }
    found = await hub.describe()
  }
}

/**
 * What Argo Events' own Pods told after a first term's beginning has no number, only its content. Each of their events stands for one message; those of
 * the first moment for none, since their messages may be from before it.
 */
function toldByOthers({ spec, predecessor, resume }: Context): (message: Message) => boolean {
  const before = resume() === null ? predecessor() : null
  const counts = new Map<string, number>()
  const sinceMs = (before?.seen?.atMs ?? Number.POSITIVE_INFINITY) + UNDER_WAY_MS
  for (const { data, atMs } of before?.told ?? []) if (atMs >= sinceMs) counts.set(data, (counts.get(data) ?? 0) + 1)
  const lastMs = before?.told.at(-1)?.atMs ?? 0
  return (message) => {
    // What came after their last event nobody has told.
    if (counts.size === 0 || Number(message.message_annotations?.['x-opt-enqueued-time']) > lastMs) return false
    const data = payload(message, spec)
    const left = counts.get(data) ?? 0
    if (left > 1) counts.set(data, left - 1)
    else counts.delete(data)
    return left > 0
  }
}

interface Intake {
  ctx: Context
  /** Argo Events' own Pods have told it. */
  told: (message: Message) => boolean
  hub: Hub
  hand: Hand
  ended: AbortSignal
  /** Where all partitions stand; moved on in place. */
  position: HubPosition
}

async function receivePartition({ ctx, hub, hand, ended, position, told }: Intake, partition: string, credit: number) {
  const { spec } = ctx
  const link = Promise.withResolvers<Receiving>()
  const done = gathered(link.promise, Math.ceil(credit / 2))
  let asking = false
  /** Numbers are missing where a compacted hub left some out, or where retention was faster than we. */
  const lookAtGap = async (from: number, to: number): Promise<void> => {
    if (asking) return
    asking = true
    const { first } = await hub.partition(partition)
    asking = false
    if (first > from) skipRemoved(ctx, partition, from, Math.min(first, to) - 1)
  }
  const take = (message: Message): void => {
    if (ended.aborted || ctx.signal.aborted) return
    const number = sequenceNumberOf(message)
    const last = position.numbers[partition]!
    if (number <= last) {
      done()
      return
    }
    if (last >= 0 && number > last + 1) void hand(() => lookAtGap(last + 1, number))
    position.numbers[partition] = number
    const at = { ...position, numbers: { ...position.numbers } }
    const item = {
      what: `sequence number ${number} of partition ${partition} of ${spec.hubName}`,
      fate: "it stays in the hub until the hub's retention removes it",
    }
    const id = idOf(spec, partition, number, position.resets)
    void hand(async () => {
      if (told(message)) await ctx.advance(at)
      else await handOver(ctx, item, { id, position: at }, () => payload(message, spec))
      done()
    })
  }
  link.resolve(await hub.receive(partition, { after: position.numbers[partition]!, credit, take }))
}

/** Sequence numbers come again when a hub is made anew, and are told apart. */
function idOf({ fqdn, hubName }: AzureEventsHubSpec, partition: string, number: number, resets: number): string {
  return `${fqdn}/${hubName}/${partition}/${number}${resets > 0 ? `/${resets}` : ''}`
}

/** Lets come again as many messages as are done with, `enough` at a time. */
function gathered(link: Promise<Receiving>, enough: number): () => void {
  let free = 0
  return () => {
    if (++free < enough) return
    const count = free
    free = 0
    void link.then(({ more }) => more(count))
  }
}
