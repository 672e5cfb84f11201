import { memoryBusWorld } from '../../src/bus/memory.ts'
import { memoryLock } from '../../src/ha/locks/memory.ts'
import { embeddedSuspicion } from '../../src/ha/peers/embedded.ts'
import { lockContract } from './lock.ts'

lockContract('memory', async () => {
  const world = memoryBusWorld()
  let count = 0
  return {
    async open(name) {
      const bus = world.connect(`client-${count++}`)
      return {
        lock: memoryLock(bus, name),
        suspicion: embeddedSuspicion(bus),
        kill: async () => bus.link.cut({ processDied: true }),
      }
    },
    async close() {},
  }
})
