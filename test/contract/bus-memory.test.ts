import { memoryBusWorld } from '../../src/bus/memory.ts'
import { busContract } from './bus.ts'
import { takeLease } from './bus-embedded.fixture.ts'

busContract('memory', { claimNeedsLease: true, dedup: true, strict: true }, async () => {
  const world = memoryBusWorld()
  const keeper = world.connect('keeper')
  let count = 0
  return {
    connect: async () => world.connect(`client-${count++}`),
    hold: (source, holder) => takeLease(keeper, source, holder),
    close: () => keeper.close(),
  }
})
