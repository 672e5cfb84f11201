/** A kind of bus that the house does not have: the memory twin, as a module of `src/buses` would say it. Its worlds live as long as this process. */
import { z } from 'zod'
import { sourceKey } from '../../src/bus/bus.ts'
import { type MemoryBusWorld, memoryBusWorld } from '../../src/bus/memory.ts'
import { defineBus } from '../../src/buses/definition.ts'
import { memoryLock } from '../../src/ha/locks/memory.ts'
import { embeddedSuspicion } from '../../src/ha/peers/embedded.ts'

const spec = z.object({
  world: z.string().optional().describe('Which of the worlds of this process.'),
})

const worlds = new Map<string, MemoryBusWorld>()

export function worldNamed(name: string): MemoryBusWorld {
  const found = worlds.get(name) ?? memoryBusWorld({ requestTimeoutMs: 1_000 })
  worlds.set(name, found)
  return found
}

export default defineBus({
  kind: 'memory',
  title: 'Memory',
  summary: 'The memory of this process.',
  spec,
  examples: [],
  validate: ({ world }) =>
    world
      ? []
      : [
          {
            severity: 'error',
            path: ['world'],
            message: '"spec.memory.world" is missing',
            remedy: 'write world: test',
          },
        ],
  elects: true,
  async open({ world = '' }, { session }) {
    const bus = worldNamed(world).connect(session)
    return {
      bus,
      electionFor: (source) => ({
        lock: memoryLock(bus, sourceKey(source)),
        suspicions: [embeddedSuspicion(bus)],
        close() {},
      }),
    }
  },
  rendered: {
    what: 'address',
    told: ({ world }) => ({ world }),
    exchanged: () => 'Argo Events has no such bus',
  },
})
