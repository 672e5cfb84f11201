/** The bus process of the run. */
import { openStoreReadOnly } from '../../../src/bus/embedded/readonly.ts'
import { readAll } from '../../contract/bus.ts'
import { killIfThere } from '../../faults/rig.ts'
import { loggedOf } from '../../faults/stream-log.ts'
import { processesOf } from '../processes.ts'
import { termsRise } from '../terms.ts'
import type { World } from '../world.ts'
import type { BusServer, ChaosBus } from './bus.ts'

export function embeddedBus(): ChaosBus {
  let world: World | null = null
  let frozen: number[] = []
  const pid = async () => (await processesOf(world!.rig)).bus
  const signal = async (name: NodeJS.Signals) => {
    const found = await pid()
    if (found === null) return world!.say('there is no bus process now')
    if (name === 'SIGSTOP') frozen.push(found)
    killIfThere(found, name)
  }
  const server: BusServer = {
    kill: () => signal('SIGKILL'),
    freeze: () => signal('SIGSTOP'),
    async thaw() {
      for (const one of frozen) killIfThere(one, 'SIGCONT')
      frozen = []
    },
    stop: () => signal('SIGTERM'),
    // The supervisor does it.
    start: async () => {},
  }
  return {
    ...{ document: null, kind: 'embedded', repeats: false, servers: [server], proxies: [] },
    markOf: () => '',
    attach(to) {
      world = to
    },
    async read() {
      const store = await openStoreReadOnly(world!.rig.data)
      try {
        const events = (await readAll(store, {})).map(loggedOf)
        return { events, fenced: () => termsRise(events) }
      } finally {
        await store.close()
      }
    },
  }
}
