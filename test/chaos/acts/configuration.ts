/** The file is edited. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Act, lasting, whileDeaf } from './act.ts'

const APPLIED_MS = 1_000

export const configurationActs: Record<string, Act> = {
  'add an entry and take it away': (world, fault) =>
    lasting(
      fault,
      () => world.edit(() => ({ extra: true })),
      () => world.edit(() => ({ extra: false })),
    ),
  // All replicas begin anew with that entry.
  'edit an entry': (world, { index }) =>
    whileDeaf(world, 'all', async () => {
      world.edit(({ edits }) => ({ edits: edits.map((count, i) => (i === index ? count + 1 : count)) }))
      await pause(APPLIED_MS)
    }),
  'take an entry away and add it again': (world, fault) => {
    const index = fault.index!
    return whileDeaf(world, 'all', () =>
      lasting(
        fault,
        () => world.edit(({ without }) => ({ without: new Set([...without, index]) })),
        () => world.edit(({ without }) => ({ without: new Set([...without].filter((one) => one !== index)) })),
      ),
    )
  },
  async 'change the replicas'(world, fault) {
    const { replicas } = world.plan
    const scale = () =>
      lasting(
        fault,
        () => world.edit(() => ({ replicas: fault.to! })),
        () => world.edit(() => ({ replicas })),
      )
    // Those that go.
    const going = Array.from({ length: replicas }, (_, index) => index).slice(fault.to)
    await going.reduce<() => Promise<void>>((work, index) => () => whileDeaf(world, index, work), scale)()
  },
  'a file with a mistake': (world, fault) =>
    lasting(
      fault,
      () => world.edit(() => ({ mistake: true })),
      () => world.edit(() => ({ mistake: false })),
    ),
}
