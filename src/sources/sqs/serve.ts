/** Takes messages from a queue, publishes them, and deletes them once they are durable. */
import { backoffMs } from '../../core/backoff.ts'
import { patiently, whenAborted } from '../../core/signals.ts'
import type { PollContext } from '../../source.ts'
import { awsErrorText } from '../aws/aws.ts'
import { payloadOrSkip } from '../queues/hand-over.ts'
import { deadLetters, type Reason } from './dead-letters.ts'
import { type Held, HIDDEN_SECONDS, holdMessages } from './held.ts'
import { payloadOf } from './payload.ts'
import { BATCH, openQueue, type QueueSpec } from './queue.ts'
import { createRemover } from './remove.ts'

export interface SqsSpec extends QueueSpec {
  jsonBody: boolean
  dlq: boolean
  metadata?: Record<string, string> | undefined
}

/** Receive requests in flight, at most; one when the queue is empty. */
const MAX_RECEIVERS = 8
/** A long poll takes 20 s: a loop that has not come round for so long stands still. */
const SILENT_MS = 90_000
/** How long a stop waits until what is stored is deleted too. */
const STOP_PATIENCE_MS = 3_000

/** @throws ORIGIN_UNAVAILABLE when the queue cannot be opened; whatever comes after that is waited for */
export async function pollQueue(ctx: PollContext<SqsSpec>): Promise<void> {
  const { spec, clock, log } = ctx
  const broken = new AbortController()
  const signal = AbortSignal.any([ctx.signal, broken.signal])
  const queue = await openQueue(spec, ctx)
  const held = holdMessages({ queue, clock, log })
  const dead = await deadLetters({ queue, held, dlq: spec.dlq, clock, signal })
  const gone = (message: Held) => {
    held.drop(message)
    moved()
  }
  const remover = createRemover({ queue, clock, log, onGone: gone })
  /** The last message of each group: FIFO queues keep the order within a group. */
  const groups = new Map<string, Promise<void>>()
  const running = new Set<Promise<void>>()
  let receivers = 0
  /** Messages that the bus does not take now. */
  let refusedByBus = 0
  /** What an earlier attempt ended with is over once messages can be received. */
  let reachable = false

  // Receivers wait until there is room and the bus takes events.
  let change = Promise.withResolvers<void>()
  const moved = () => {
    change.resolve()
    change = Promise.withResolvers()
  }
  const room = async () => {
    while (!signal.aborted && (held.full || refusedByBus > 0)) await change.promise
  }

  const itemOf = (message: Held, reason: Reason) => ({
    what: `message ${message.id} of queue ${spec.queue}`,
    fate: dead.fateFor(reason),
  })
  /** It can never become an event, and that has been said. */
  const dispose = async (message: Held, reason: Reason): Promise<void> => {
    if (!dead.keeps(reason)) return remover.remove(message)
    gone(message)
    await dead.leave(message)
  }

  /** Repeats until the bus has it: the message stays held, so that an outage does not count as a failed delivery. */
  const publish = async (message: Held): Promise<void> => {
    if (dead.knows(message)) return await dispose(message, 'refused')
    const data = payloadOrSkip(ctx, itemOf(message, 'unreadable'), () => payloadOf(message.message, spec))
    if (data === null) return await dispose(message, 'unreadable')
    let refused = false
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          const { outcome } = await ctx.emit({ data, id: message.id, item: itemOf(message, 'refused') })
          return outcome === 'skipped' ? await dispose(message, 'refused') : remover.remove(message)
        } catch {
          if (!refused) refusedByBus++
          refused = true
          // Receivers wait meanwhile.
          ctx.reading(SILENT_MS)
          if (!signal.aborted) await clock.sleep(backoffMs(attempt, { maxMs: 500 }), signal).catch(() => {})
          if (!signal.aborted) continue
          await held.show([message])
          return gone(message)
        }
      }
    } finally {
      if (refused && --refusedByBus === 0) moved()
    }
  }

  const take = (message: Held) => {
    const group = message.message.Attributes?.MessageGroupId
    const before = group === undefined ? undefined : groups.get(group)
    const work = before === undefined ? publish(message) : before.then(() => publish(message))
    run(work)
    if (group === undefined) return
    groups.set(group, work)
    const done = () => groups.get(group) === work && groups.delete(group)
    work.then(done, done)
  }

  /** What fails in it ends the entry, which is begun anew: nothing that waits for it would go on. */
  const run = (work: Promise<void>) => {
    running.add(work)
    const done = () => running.delete(work)
    work.then(done, (error: unknown) => {
      done()
      broken.abort(error)
    })
  }

  /** One receiver stays; further ones come while there is much to receive. */
  const receive = async (first: boolean): Promise<void> => {
    receivers++
    for (let failures = 0; ; ) {
      await room()
      if (signal.aborted) break
      if (first) ctx.reading(SILENT_MS)
      try {
        const messages = await queue.receive(HIDDEN_SECONDS, signal)
        failures = 0
        if (!reachable) ctx.condition(null)
        reachable = true
        for (const message of messages) {
          const one = held.add(message)
          if (one !== null) take(one)
        }
        if (messages.length === BATCH && receivers < MAX_RECEIVERS) run(receive(false))
        if (messages.length === 0 && !first) break
      } catch (error) {
        if (signal.aborted || !first) break
        ctx.condition(`messages cannot be received: ${awsErrorText(error)}`)
        reachable = false
        await clock.sleep(backoffMs(failures++, { firstMs: 500, maxMs: 10_000 }), signal).catch(() => {})
      }
    }
    receivers--
  }

  const hiding = new AbortController()
  const hidden = Promise.all([held.keepHidden(hiding.signal), dead.follow(hiding.signal)])
  try {
    run(receive(true))
    await whenAborted(signal)
    moved()
    while (running.size > 0) await Promise.allSettled(running)
    await patiently(remover.drain(), { signal, clock, patienceMs: STOP_PATIENCE_MS })
  } finally {
    remover.close()
    hiding.abort()
    await hidden
    queue.close()
  }
  if (!ctx.signal.aborted) throw broken.signal.reason
}
