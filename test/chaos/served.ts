/** Whether every entry is really served: what is done now arrives, whatever status says. */
import { availableParallelism, loadavg } from 'node:os'
import type { Line } from '../faults/rig.ts'
import { waitFor } from '../faults/rig.ts'
import { lookout } from './lookout.ts'
import { ticksOf } from './manifest.ts'
import { isOf, type World } from './world.ts'

export interface Served {
  /** What was not served within the bound. */
  violations: string[]
  /** How long each took, milliseconds, by what it was. */
  backMs: Record<string, number>
}

/** Everybody must be back within so long; a Kafka takes longer to elect. */
const BOUND_MS = { embedded: 30_000, jetstream: 30_000, kafka: 60_000 }
/** On a machine on which more processes than this want each core, all is slower: there it may take three times as long. */
const BUSY = 4

const boundFor = (kind: keyof typeof BOUND_MS): number =>
  BOUND_MS[kind] * (loadavg()[0]! > BUSY * availableParallelism() ? 3 : 1)

/** Asked when all is well again. @param boundMs within which everybody must be back */
export async function everythingServed(world: World, boundMs = boundFor(world.bus.kind)): Promise<Served> {
  const { plan, listener, crowd, origins } = world
  const healedMs = performance.now()
  const backMs: Record<string, number> = {}
  const violations: string[] = []
  const seen = (wanted: (line: Line) => boolean) => lookout(listener.lines, wanted)
  const within = async (what: string, arrived: () => boolean) => {
    try {
      await waitFor(async () => arrived(), boundMs, 20)
      backMs[what] = Math.round(performance.now() - healedMs)
    } catch {
      violations.push(`${what}: nothing new within ${boundMs} ms after all was well again`)
    }
  }
  const acknowledged = crowd.acknowledged.length
  const now = Date.now()
  const fresh = origins.map((origin) => origin.fresh())
  await Promise.all([
    within('webhook', () => crowd.acknowledged.length > acknowledged),
    ...ticksOf(plan).map(({ entry }) =>
      within(
        entry,
        seen((line) => line.subject.endsWith(`.${entry}`) && Date.parse(line.event.time) > now),
      ),
    ),
    ...origins.map(({ name }, index) =>
      within(
        name,
        seen((line) => isOf(line, index) && fresh[index]!(line)),
      ),
    ),
  ])
  return { violations: await confirmed(violations, world, fresh), backMs }
}

/** What the stream of the API has not shown may be on the log all the same: then it is the stream that is wrong. */
async function confirmed(violations: string[], { rig, say, origins }: World, fresh: ((line: Line) => boolean)[]) {
  if (violations.length === 0) return violations
  const status = await rig.status().catch((error: Error) => error.message)
  say(`not served; status: ${JSON.stringify(status)}`)
  const lines = await rig.lines().catch(() => [])
  return violations.map((text) => {
    const index = origins.findIndex(({ name }) => text.startsWith(`${name}:`))
    const there = index >= 0 && lines.some((line) => isOf(line, index) && fresh[index]!(line))
    return there ? `${text}, though it is on the log: /v1/events does not show it` : text
  })
}
