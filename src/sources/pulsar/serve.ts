/** Serves an entry: finds the partitions of its topics and their brokers, and keeps subscribed to all of them. */
import { isVedetteError } from '../../core/errors.ts'
import { whenAborted } from '../../core/signals.ts'
import type { PrepareContext, ServeContext } from '../../source.ts'
import { type Cluster, connectCluster } from './cluster.ts'
import { IN_FLIGHT, openIntake } from './intake.ts'
import { unsubscribeWhatWas } from './remains.ts'
import { fullTopic, type PulsarSpec } from './spec.ts'
import { namesOf } from './topics.ts'

/** Topics get partitions while we serve; they are looked for this often. */
const LOOK_MS = 60_000
/** After so long without a look it stands still. */
const SILENT_MS = 3 * LOOK_MS

/** Partitions that were subscribed to, by topic; 0: it has none. A partition beyond them is read from its beginning. */
export type PulsarPosition = Record<string, number>

/** Connected and logged in, and the brokers of all topics known; subscribed to nothing. */
export async function standBy(ctx: PrepareContext<PulsarSpec>): Promise<void> {
  const cluster = await connectCluster(ctx)
  ctx.keep(cluster)
  const over = Promise.race([whenAborted(ctx.signal), cluster.lost])
  const warm = async () => {
    for (const { name } of namesIn(await partitionsOf(ctx.spec, cluster))) await cluster.brokerOf(name)
    if (!ctx.signal.aborted) ctx.condition(null)
    await over
  }
  // Who is to lead does not wait for a broker that does not answer.
  await Promise.race([over, warm()])
}

export async function servePulsar(ctx: ServeContext<PulsarSpec, PulsarPosition>): Promise<void> {
  const { clock } = ctx
  const kept = ctx.kept() as Cluster | null
  const cluster = kept?.alive ? kept : await connectCluster(ctx)
  const ended = new AbortController()
  const signal = AbortSignal.any([ctx.signal, ended.signal])
  const intake = openIntake(ctx, cluster, signal)
  let known = ctx.resume()

  const keepSubscribed = async (): Promise<never> => {
    await unsubscribeWhatWas(ctx, cluster)
    let found = await partitionsOf(ctx.spec, cluster)
    const share = Math.max(1, Math.floor(IN_FLIGHT / namesIn(found).length))
    for (;;) {
      for (const { topic, name } of namesIn(found)) {
        const grown = known?.[topic] !== undefined && !namesOf(topic, known[topic]).includes(name)
        await intake.subscribe(name, share, grown)
      }
      if (JSON.stringify(found) !== JSON.stringify(known)) await ctx.advance(found)
      known = found
      ctx.condition(null)
      ctx.reading(SILENT_MS)
      found = await nextLook()
    }
  }
  /** Who says where topics are may be away while the brokers that have them serve on. */
  const nextLook = async (): Promise<PulsarPosition> => {
    for (;;) {
      await clock.sleep(LOOK_MS, signal)
      try {
        return await partitionsOf(ctx.spec, cluster)
      } catch (error) {
        if (!isVedetteError(error, 'ORIGIN_UNAVAILABLE')) throw error
        ctx.condition(error.message)
        ctx.reading(SILENT_MS)
      }
    }
  }
  const subscribing = keepSubscribed()
  subscribing.catch(() => {})
  try {
    await Promise.race([whenAborted(ctx.signal), cluster.lost, intake.failed, subscribing])
  } finally {
    ended.abort()
    await intake.settled()
    cluster.close()
  }
}

async function partitionsOf({ topics }: PulsarSpec, cluster: Cluster): Promise<PulsarPosition> {
  const found: PulsarPosition = {}
  for (const topic of topics ?? []) {
    const name = fullTopic(topic) ?? topic
    found[name] = await cluster.partitions(name)
  }
  return found
}

const namesIn = (found: PulsarPosition) =>
  Object.entries(found).flatMap(([topic, count]) => namesOf(topic, count).map((name) => ({ topic, name })))
