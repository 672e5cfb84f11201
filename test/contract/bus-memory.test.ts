import { memoryBusWorld } from '../../src/bus/memory.ts'
import { busContract } from './bus.ts'
import { takeLease } from './bus-embedded.fixture.ts'

busContract('memory', { claimNeedsLease: true, dedup: true, strict: true }, async () => {
  const world = memoryBusWorld({ requestTimeoutMs: 1_000 })
  const keeper = world.connect('keeper')
  let count = 0
  return {
    connect: async () => world.connect(`client-${count++}`),
    hold: (source, holder) => takeLease(keeper, source, holder),
    freeze: () => world.freeze(),
    thaw: () => world.thaw(),
    close: () => keeper.close(),
  }
})
