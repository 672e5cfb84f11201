/** One simulated world: a bus, N replicas, and a schedule of faults drawn from a seed; then calm, in which all must be well. */
import { type MemoryBus, memoryBusWorld } from '../src/bus/memory.ts'
import { type Logger, silentLogger } from '../src/core/log.ts'
import { quickTiming } from '../src/ha/timing.ts'
import type { EventSource } from '../src/manifest/manifest.ts'
import { createChecker } from './checker.ts'
import { createClient, type Mutant, type Mutation } from './client.ts'
import { drawFaults } from './faults.ts'
import { originObject, source } from './origin.ts'
import { createProcess, type Process } from './process.ts'
import { type Random, seeded } from './random.ts'
import { type SimulatedReplica, startSimulatedReplica } from './replica.ts'
import { virtualTime } from './time.ts'

export interface Verdict {
  seed: number
  violations: string[]
  /** What happened, one line each; empty unless asked for. */
  trace: string[]
  replicas: number
  events: number
  claims: number
  steps: number
  faults: Record<string, number>
  /** From the end of the faults to the next event stored, milliseconds. */
  recoveredMs: number | null
}

/** One replica's place: the process in it comes and goes. */
export interface Place {
  readonly id: string
  readonly index: number
  process: Process
  bus: MemoryBus
  lockBus: MemoryBus
  replica: SimulatedReplica
  alive: boolean
}

export interface World {
  /** The EventSource as it is now; `edit` changes what its entries say, and nothing else. */
  object: EventSource
  edit(): void
  readonly random: Random
  readonly places: Place[]
  /** Processes of an earlier incarnation. */
  orphans: Place[]
  /** Lock and bus are reached by connections of their own. */
  readonly split: boolean
  readonly bus: ReturnType<typeof memoryBusWorld>
  readonly now: () => number
  /** Unless there is calm by then. */
  after(ms: number, fn: () => void): void
  start(place: Place): void
  /** @param told others learn that the process died */
  kill(place: Place, told: boolean): void
  leader(): Place | undefined
  /** Faults have ceased. */
  readonly calm: boolean
  /** What a message takes now and usually, milliseconds, the share that is lost, and the operations that have no answer. */
  net: { delayMs: number; usualMs: number; lossy: number; unanswered: string[] }
  say(line: string): void
  count(fault: string): void
}

const MAX_STEPS = 400_000
/** After the faults somebody must serve again within this: the lease, a request that must first time out, and its repeat. */
const recoveryMs = (requestTimeoutMs: number) => 2 * quickTiming.leaseMs + 2 * requestTimeoutMs + 3_000

export async function simulate(
  seed: number,
  { trace: tracing = false, mutation = 'none' }: { trace?: boolean; mutation?: Mutation } = {},
): Promise<Verdict> {
  const random = seeded(seed)
  const time = virtualTime(MAX_STEPS)
  const trace: string[] = []
  const say = (line: string) => {
    if (tracing) trace.push(`${time.monotonic().toFixed(1).padStart(9)}  ${line}`)
  }
  const checker = createChecker(say)
  const requestTimeoutMs = random.pick([300, 1000, 3000])
  const bus = memoryBusWorld({ clock: time, requestTimeoutMs, clone: (value) => value })
  const pace = { gapMs: random.pick([30, 80, 200]), window: random.int(1, 6), entries: random.int(1, 3) }
  const faults: Record<string, number> = {}
  const mutant: Mutant = { positions: new Map() }
  let pids = 0
  let calmSince: number | null = null
  let recoveredMs: number | null = null
  bus.onStored((stored) => {
    if (tracing) say(`bus     stored ${stored.id} term ${stored.term} at ${stored.seq}`)
    checker.stored(stored)
    if (calmSince !== null) recoveredMs ??= time.monotonic() - calmSince
  })

  const connect = (session: string, process: Process): MemoryBus => {
    const connected = bus.connect(session, { clock: process.clock })
    const messages = random.fork()
    connected.link.delayMs = () => world.net.delayMs * (0.5 - Math.log(1 - messages() * 0.98) / 2)
    connected.link.lose = (direction, operation) =>
      (direction === 'reply' && world.net.unanswered.includes(operation)) ||
      (world.net.lossy > 0 && messages.chance(world.net.lossy))
    return connected
  }
  const logger = (who: string): Logger => {
    if (!tracing) return silentLogger
    const line = (text: string, fields: Record<string, unknown> = {}) => {
      const error = fields.error instanceof Error ? ` (${fields.error.message})` : ''
      say(`${who.padEnd(7)} ${text}${error}`)
    }
    const log: Logger = { debug() {}, info: line, warn: line, error: line, child: () => log }
    return log
  }

  const usualMs = random.pick([0.5, 2, 8])
  const replicas = random.int(1, 5)
  let version = 0
  const world: World = {
    object: originObject({ replicas, entries: pace.entries, version }),
    edit() {
      world.object = originObject({ replicas, entries: pace.entries, version: ++version })
    },
    random,
    places: [],
    orphans: [],
    split: random.chance(0.4),
    bus,
    now: () => time.monotonic(),
    after: (ms, fn) => void time.after(ms, () => calmSince === null && fn()),
    get calm() {
      return calmSince !== null
    },
    net: { delayMs: usualMs, usualMs, lossy: 0, unanswered: [] },
    say,
    count(fault) {
      faults[fault] = (faults[fault] ?? 0) + 1
    },
    start(place) {
      const { id } = place
      place.process = createProcess(time, random.between(0.85, 1.18))
      place.bus = connect(id, place.process)
      place.lockBus = world.split ? connect(`${id}-lock`, place.process) : place.bus
      place.alive = true
      const pid = `${id}#${++pids}`
      const { process, bus: ofPlace, lockBus } = place
      const client = createClient({ pid, process, bus: ofPlace, lockBus, checker, mutation, mutant })
      place.replica = startSimulatedReplica({
        ...{ object: world.object, index: place.index, pid, process, client, random: random.fork() },
        ...{ timing: quickTiming, checker, log: logger(id), pace },
      })
    },
    kill(place, told) {
      if (!place.alive) return
      place.alive = false
      place.process.kill()
      const deliver = random.chance(0.5)
      for (const { link } of new Set([place.bus, place.lockBus])) link.cut({ deliver, processDied: told })
    },
    leader: () => world.places.find(({ alive, replica }) => alive && replica.view().state === 'leading'),
  }

  for (let index = 0; index < replicas; index++) {
    const place = { id: `${source.name}-${index}`, index, alive: false } as Place
    world.places.push(place)
    time.after(random.between(0, 300), () => {
      if (!place.alive) world.start(place)
    })
  }
  await Promise.resolve()
  const verdict = (): Verdict => ({
    ...{ seed, violations: checker.violations, trace, replicas: world.places.length, events: checker.events },
    ...{ claims: checker.claims, steps: time.steps, faults, recoveredMs },
  })
  try {
    await time.runUntil(random.between(300, 600))
    const restoreAll = drawFaults(world, random.between(1_500, 4_500))
    await time.runUntil(world.now() + restoreAll.lastsMs)
    calmSince = time.monotonic()
    restoreAll.restore()
    say('world   calm')

    const agreed = () => {
      const views = world.places.map(({ replica }) => replica.view())
      const leaders = views.filter(({ state }) => state === 'leading')
      const leader = leaders[0]?.leader
      return leaders.length === 1 && views.every((view) => view.leader === leader && view.state !== 'draining')
    }
    const limit = calmSince + recoveryMs(requestTimeoutMs)
    // One whole second in which all agree, nobody claims, and every entry goes on.
    const entries = world.object.entries.map(({ name }) => name)
    const counts = () => entries.map(checker.eventsOf)
    for (let [from, claims, events] = [time.monotonic(), -1, counts()]; ; ) {
      await time.runUntil(time.monotonic() + 200)
      const over = time.monotonic() >= from + 1_000
      if (over && counts().every((count, i) => count > events[i]!)) break
      if (time.monotonic() > limit) {
        const views = world.places.map(({ id, replica }) => `${id} ${JSON.stringify(replica.view())}`)
        const still = entries.filter((_, i) => counts()[i] === events[i])
        const what = still.length === 0 ? '' : `, nothing new of ${still}`
        checker.fail(
          `liveness: not settled after ${time.monotonic() - calmSince} ms of calm${what}: ${views.join(', ')}`,
        )
        break
      }
      if (!over && agreed() && checker.claims === claims) continue
      from = time.monotonic()
      claims = checker.claims
      events = counts()
    }
    for (const { replica } of world.places) replica.stop()
    const patience = time.monotonic() + 2 * quickTiming.leaseMs + 2 * requestTimeoutMs
    while (world.places.some(({ replica }) => !replica.stopped) && time.monotonic() < patience) {
      await time.runUntil(time.monotonic() + 100)
    }
    for (const { id, replica } of world.places) if (!replica.stopped) checker.fail(`liveness: ${id} does not stop`)
    checker.finish(bus.log())
  } catch (error) {
    checker.fail(`error: ${error instanceof Error ? error.stack : error}`)
  }
  return verdict()
}
