import { embeddedLock } from '../../src/ha/locks/embedded.ts'
import { embeddedSuspicion } from '../../src/ha/peers/embedded.ts'
import { startBus } from './bus-embedded.fixture.ts'
import { lockContract } from './lock.ts'

lockContract('embedded', async () => {
  const fixture = await startBus()
  return {
    async open(name) {
      const bus = await fixture.connect()
      return { lock: embeddedLock(bus, name), suspicion: embeddedSuspicion(bus), kill: () => bus.close() }
    },
    close: () => fixture.close(),
  }
})
