/** Every kind of fault that is drawn: where it can happen, with what, and what it may not share with another at the same time. */
import type { Random } from '../../sim/random.ts'
import { CUTS, type Fault, type Plan, type Who } from './plan.ts'
import { TRAITS, type Traits } from './traits.ts'

export type Group = 'processes' | 'network' | 'origin' | 'disk' | 'clocks' | 'starvation' | 'configuration' | 'stream'

/** The world before its faults. */
export type Ground = Omit<Plan, 'faults' | 'seed'>
type Drawn = Omit<Fault, 'kind' | 'atMs'>

export interface Kind {
  group: Group
  /** How often against others. */
  weight: number
  /** Null: it cannot happen there. */
  draw(random: Random, ground: Ground): Drawn | null
  /** Two faults that hold the same do not overlap. */
  holds?(fault: Fault): string
}

const who = (random: Random): Who => random.pick<Who>(['leader', 'leader', 'standby', random.int(0, 4)])
const lasts = (random: Random, most = 9_000) => Math.round(random.pick([50, 400, 1_200, 2_500, 5_000, most]))
const over = { lastsMs: 0 }
const embedded = ({ bus }: Ground) => bus === 'embedded'
const jetstream = ({ bus }: Ground) => bus.startsWith('jetstream')
const serversOf = ({ bus }: Ground) => (bus.endsWith('-3') ? 3 : 1)
const bus = ({ index }: Fault) => `bus ${index ?? 0}`
const origin = ({ index }: Fault) => `origin ${index}`
const run = () => 'run'

/** A fault of an origin that allows it. */
const ofOrigin =
  (can: Traits['can'][number], more: (random: Random) => Drawn): Kind['draw'] =>
  (random, { origins }) => {
    const able = origins.flatMap((name, index) => (TRAITS[name]?.can.includes(can) ? [index] : []))
    return able.length === 0 ? null : { ...more(random), index: random.pick(able) }
  }

/** A fault of a server of the bus; of the only one it is over sooner. */
const ofBus = (random: Random, ground: Ground): Drawn => ({
  lastsMs: lasts(random, serversOf(ground) === 1 ? 8_000 : 12_000),
  index: random.int(0, serversOf(ground) - 1),
})

export const KINDS: Readonly<Record<string, Kind>> = {
  'kill a host': { group: 'processes', weight: 3, draw: (random) => ({ ...over, who: who(random) }) },
  'kill all hosts': { group: 'processes', weight: 1, draw: () => over },
  'freeze a host': { group: 'processes', weight: 2, draw: (random) => ({ lastsMs: lasts(random), who: who(random) }) },
  'end a host': { group: 'processes', weight: 1, draw: (random) => ({ ...over, who: who(random) }) },
  'hand over': { group: 'processes', weight: 1, draw: () => over },
  'kill a bus server': { group: 'processes', weight: 2, draw: ofBus, holds: bus },
  'freeze a bus server': { group: 'processes', weight: 2, draw: ofBus, holds: bus },
  'stop a bus server': {
    ...{ group: 'processes', weight: 1, holds: bus },
    draw: (random, ground) => (embedded(ground) ? null : ofBus(random, ground)),
  },
  'kill the leader, then the bus': {
    ...{ group: 'processes', weight: 2, holds: bus },
    draw: (random, ground) => ({ ...ofBus(random, ground), gapMs: random.int(0, 250) }),
  },
  'kill the supervisor': {
    group: 'processes',
    weight: 1,
    draw: (random) => ({ lastsMs: lasts(random, 4_000) }),
    holds: run,
  },
  'kill everything': {
    group: 'processes',
    weight: 1,
    draw: (random) => ({ lastsMs: lasts(random, 4_000) }),
    holds: run,
  },
  'end everything': {
    group: 'processes',
    weight: 1,
    draw: (random) => ({ lastsMs: lasts(random, 4_000) }),
    holds: run,
  },
  'cut off a replica from the bus': {
    ...{ group: 'network', weight: 3 },
    draw: (random, ground) =>
      embedded(ground) ? null : { lastsMs: lasts(random), who: who(random), how: random.pick(CUTS) },
  },
  'cut off everybody from the bus': {
    ...{ group: 'network', weight: 2, holds: () => 'bus for all' },
    draw: (random, ground) => (embedded(ground) ? null : { lastsMs: lasts(random), how: random.pick(CUTS) }),
  },
  'cut off the origin': {
    ...{ group: 'network', weight: 3, holds: (fault) => `way to ${origin(fault)}` },
    draw: ofOrigin('cut', (random) => ({ lastsMs: lasts(random), how: random.pick(CUTS) })),
  },
  'restart the origin': {
    group: 'origin',
    weight: 2,
    draw: ofOrigin('restart', () => ({ lastsMs: 1_000 })),
    holds: origin,
  },
  'kill the origin': {
    ...{ group: 'origin', weight: 2, holds: origin },
    draw: ofOrigin('kill', (random) => ({ lastsMs: lasts(random, 6_000) })),
  },
  'freeze the origin': {
    ...{ group: 'origin', weight: 2, holds: origin },
    draw: ofOrigin('freeze', (random) => ({ lastsMs: lasts(random) })),
  },
  'fill the disk': {
    ...{ group: 'disk', weight: 2, holds: () => 'disk' },
    draw: (random, ground) => (embedded(ground) ? { lastsMs: random.pick([1_500, 3_000, 6_000]) } : null),
  },
  'set a clock': {
    ...{ group: 'clocks', weight: 2 },
    draw: (random) => ({
      ...{ lastsMs: random.pick([2_000, 4_000]), who: who(random) },
      offMs: random.pick([-4_000, -2_000, -700, 700, 2_000, 5_000]),
    }),
  },
  'starve a host': {
    ...{ group: 'starvation', weight: 2 },
    draw: (random) => ({ lastsMs: random.pick([2_000, 4_000, 7_000]), who: who(random) }),
  },
  'keep the machine busy': {
    group: 'starvation',
    weight: 0.5,
    draw: () => ({ lastsMs: 4_000 }),
    holds: () => 'machine',
  },
  'add an entry and take it away': {
    ...{ group: 'configuration', weight: 1, holds: () => 'extra' },
    draw: (random) => ({ lastsMs: random.pick([1_000, 4_000]) }),
  },
  'edit an entry': {
    ...{ group: 'configuration', weight: 1, holds: () => 'edit' },
    draw: (random, { origins }) => ({ ...over, index: random.int(0, origins.length - 1) }),
  },
  'take an entry away and add it again': {
    ...{ group: 'configuration', weight: 1, holds: (fault) => `entry ${origin(fault)}` },
    draw: ofOrigin('readd', (random) => ({ lastsMs: random.pick([500, 3_000]) })),
  },
  'change the replicas': {
    ...{ group: 'configuration', weight: 1, holds: () => 'replicas' },
    draw: (random, { replicas }) => ({
      lastsMs: random.pick([2_000, 5_000]),
      to: random.pick([1, 2, 3, 4, 5].filter((count) => count !== replicas)),
    }),
  },
  'a file with a mistake': {
    // A run that is started on such a file refuses it, as it should.
    ...{ group: 'configuration', weight: 0.5, holds: run },
    draw: () => ({ lastsMs: 1_000 }),
  },
  'purge the stream': {
    ...{ group: 'stream', weight: 0.7, holds: () => 'everything' },
    draw: (_, ground) => (jetstream(ground) ? over : null),
  },
  'delete the stream': {
    ...{ group: 'stream', weight: 0.7, holds: () => 'everything' },
    draw: (_, ground) => (jetstream(ground) ? over : null),
  },
}
