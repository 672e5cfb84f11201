/** From a seed to a plan: the same seed gives the same plan. Pure. */
import { type Random, seeded } from '../../sim/random.ts'
import { type Ground, KINDS } from './kinds.ts'
import { BUSES, type BusName, endOf, type Fault, type Plan } from './plan.ts'
import { TRAITS } from './traits.ts'

export interface Wanted {
  /** That may be drawn. Default: all. */
  buses?: readonly BusName[]
  /** Names of origins that may be drawn. Default: all. */
  origins?: readonly string[]
}

/** Heavy buses are drawn less often. */
const BUS_WEIGHTS: Record<BusName, number> = {
  embedded: 5,
  'jetstream-1': 2,
  'jetstream-3': 3,
  'kafka-1': 2,
  'kafka-3': 1,
}
/** Before and after what stands for everything, nothing else happens for so long: what it leaves could not be told from what they leave. */
export const QUIET_MS = 4_000
/** Between two that hold the same. */
const APART_MS = 1_500

export function draw(seed: number, { buses = BUSES, origins = Object.keys(TRAITS) }: Wanted = {}): Plan {
  const random = seeded(seed)
  const ground = drawGround(random.fork(), buses, origins)
  return { seed, ...ground, faults: drawFaults(random.fork(), ground) }
}

function drawGround(random: Random, buses: readonly BusName[], origins: readonly string[]): Ground {
  const first = weighted(random, origins, (name) => TRAITS[name]!.weight)
  // Two of one type would be two servers of one kind.
  const typeOf = (name: string) => name.split(' ')[0]
  const others = origins.filter((name) => typeOf(name) !== typeOf(first))
  const second =
    random.chance(0.4) && others.length > 0 ? [weighted(random, others, (name) => TRAITS[name]!.weight)] : []
  return {
    bus: weighted(random, buses, (bus) => BUS_WEIGHTS[bus]),
    replicas: random.pick([2, 2, 3, 3, 3, 4, 5]),
    together: random.chance(0.35),
    everyMs: random.pick([100, 250, 1_000]),
    origins: [first, ...second],
    loadMs: random.int(15, 25) * 1_000,
  }
}

function drawFaults(random: Random, ground: Ground): Fault[] {
  const names = Object.keys(KINDS)
  const wanted = random.int(2, 9)
  const faults: Fault[] = []
  for (let tries = 0; faults.length < wanted && tries < 40; tries++) {
    const kind = weighted(random, names, (name) => KINDS[name]!.weight)
    const drawn = KINDS[kind]!.draw(random, ground)
    // Half of them soon after another one, so that they overlap.
    const near = faults.length > 0 && random.chance(0.5) ? random.pick(faults).atMs + random.int(0, 1_500) : null
    const atMs = near ?? random.int(500, ground.loadMs - 4_000)
    if (drawn === null) continue
    const fault = { kind, atMs, ...drawn }
    if (endOf(fault) <= ground.loadMs && faults.every((other) => together(fault, other))) faults.push(fault)
  }
  return faults.sort((a, b) => a.atMs - b.atMs)
}

/** Whether both may be in one plan. */
export function together(a: Fault, b: Fault): boolean {
  const [x, y] = [holding(a), holding(b)]
  const apart = (ms: number) => endOf(a) + ms <= b.atMs || endOf(b) + ms <= a.atMs
  if (x === 'everything' || y === 'everything') return apart(QUIET_MS)
  // A run that starts on a full disk ends, and says so: that is not what is looked for here.
  if ((x === 'disk' && y === 'run') || (x === 'run' && y === 'disk')) return apart(QUIET_MS)
  return x === null || x !== y || apart(APART_MS)
}

const holding = (fault: Fault): string | null => KINDS[fault.kind]?.holds?.(fault) ?? null

function weighted<T>(random: Random, from: readonly T[], weightOf: (one: T) => number): T {
  const weights = from.map(weightOf)
  let at = random() * weights.reduce((sum, weight) => sum + weight, 0)
  const index = weights.findIndex((weight) => {
    at -= weight
    return at < 0
  })
  return from[index < 0 ? from.length - 1 : index]!
}
