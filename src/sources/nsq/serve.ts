/** Takes messages from all nsqds, publishes them side by side, and finishes each when the bus has it. */
import { whenAborted } from '../../core/signals.ts'
import type { Item, PrepareContext, ServeContext } from '../../source.ts'
import { bodyOf, payloadOf } from '../payload/json-body.ts'
import { senderKey } from '../payload/sender-id.ts'
import { handOver } from '../queues/hand-over.ts'
import { emptyFleet, type Fleet, SILENT_MS, tend } from './fleet.ts'
import type { NsqSpec } from './spec.ts'
import type { NsqdConnection, NsqMessage } from './wire.ts'

/** Messages that each nsqd may have under way to us, while they are small. */
export const IN_FLIGHT = 512
/** The protocol knows no limit in bytes: so the largest message that came decides how many there may be. */
export const IN_FLIGHT_BYTES = 32 << 20
/** Before any has come. */
const FIRST_IN_FLIGHT = 64

/** Connected to every nsqd and logged in; subscribed to nothing. */
export async function standBy(ctx: PrepareContext<NsqSpec>): Promise<void> {
  const fleet = emptyFleet()
  ctx.keep(fleet)
  await tend(ctx, fleet, async () => {}, ctx.signal)
}

export async function serveNsq(ctx: ServeContext<NsqSpec>): Promise<void> {
  const { spec, clock } = ctx
  const fleet = (ctx.kept() as Fleet | null) ?? emptyFleet()
  const failed = new AbortController()
  const signal = AbortSignal.any([ctx.signal, failed.signal])
  /** What is being published. */
  const open = new Map<string, { connection: NsqdConnection; id: string }>()
  const work = new Set<Promise<void>>()

  const publish = async (connection: NsqdConnection, message: NsqMessage): Promise<void> => {
    const key = `${connection.address}/${message.id}`
    // Given to us again while the first copy waits for the bus.
    if (open.has(key)) return
    open.set(key, { connection, id: message.id })
    try {
      await handOver(ctx, itemOf(message, spec), { id: messageKey(message) }, () =>
        payloadOf(membersOf(message, connection, spec), spec.metadata),
      )
      // Also when it can never become an event: NSQ has no other place for it.
      connection.finish(message.id)
      open.delete(key)
    } catch (error) {
      failed.abort(error)
    }
  }
  const joined = async (connection: NsqdConnection): Promise<void> => {
    const sized = sizing(connection)
    await connection.subscribe(spec.topic, spec.channel, (message) => {
      if (signal.aborted) return connection.requeue(message.id)
      sized(message)
      const mine = publish(connection, message).then(() => void work.delete(mine))
      work.add(mine)
    })
    connection.ready(Math.min(FIRST_IN_FLIGHT, connection.maxReady))
  }

  const touching = keepTouching(clock, () => open.values())
  try {
    const looks = () => ctx.reading(SILENT_MS)
    await Promise.race([tend(ctx, fleet, joined, signal, looks), whenAborted(signal)])
    for (const connection of fleet.connections.values()) connection.ready(0)
    while (work.size > 0) await Promise.race(work)
    // The next leader gets at once what this one has not published.
    for (const { connection, id } of open.values()) connection.requeue(id)
  } finally {
    touching()
    fleet.close()
  }
  if (!ctx.signal.aborted) throw failed.signal.reason
}

/**
 * What nsqd keeps of a message that it queues again. Its id is one within a channel of one nsqd: several may count with the same node id
 * (https://github.com/nsqio/go-nsq/issues/250), so the time and the message are part of it.
 */
export function messageKey({ id, timestamp, body }: Pick<NsqMessage, 'id' | 'timestamp' | 'body'>): string {
  return senderKey(`${id}:${timestamp}`, body)
}

/** Lets nsqd have as many messages under way as their size allows. @returns to be told of each */
function sizing({ ready, maxReady }: NsqdConnection): (message: NsqMessage) => void {
  let largest = 0
  let came = 0
  let allowed = FIRST_IN_FLIGHT
  return ({ body }) => {
    largest = Math.max(largest, body.length)
    if (++came < FIRST_IN_FLIGHT && largest * FIRST_IN_FLIGHT <= IN_FLIGHT_BYTES) return
    const fitting = Math.max(1, Math.floor(IN_FLIGHT_BYTES / largest))
    const now = Math.min(IN_FLIGHT, fitting, maxReady)
    if (now !== allowed) ready(now)
    allowed = now
  }
}

/** TOUCHes what waits for a slow bus, so that nsqd does not give it to somebody else. @returns ends it */
function keepTouching(
  clock: Pick<ServeContext['clock'], 'after' | 'monotonic'>,
  open: () => Iterable<{ connection: NsqdConnection; id: string }>,
): () => void {
  const EVERY_MS = 1_500
  let cancel = () => {}
  const again = () => {
    cancel = clock.after(EVERY_MS, () => {
      for (const { connection, id } of open()) connection.touch(id)
      again()
    })
  }
  again()
  return () => cancel()
}

const itemOf = ({ id }: NsqMessage, { topic, channel }: NsqSpec): Item => ({
  what: `message ${id} of topic ${topic}`,
  fate: `it is finished in channel ${channel}, since NSQ has no place for it`,
})

const membersOf = ({ body, timestamp }: NsqMessage, { peer }: NsqdConnection, { jsonBody }: NsqSpec) => ({
  body: bodyOf(body, jsonBody),
  timestamp: String(timestamp),
  nsqdAddress: peer,
})
