/** What happens to the servers of the bus, and to the bus process of a run. */
import { setTimeout as pause } from 'node:timers/promises'
import { killIfThere } from '../../faults/rig.ts'
import { type Act, lasting, startedAgain, whileAway, whileDeaf } from './act.ts'

const again = (start: () => Promise<void>) => () => startedAgain('the server of the bus', start)

export const serverActs: Record<string, Act> = {
  'kill a bus server': (world, fault) => {
    const server = world.bus.servers[fault.index!]!
    return whileAway(world.busAway, () => lasting(fault, server.kill, again(server.start)))
  },
  'stop a bus server': (world, fault) => {
    const server = world.bus.servers[fault.index!]!
    return whileAway(world.busAway, () => lasting(fault, server.stop, again(server.start)))
  },
  'freeze a bus server': (world, fault) => {
    const server = world.bus.servers[fault.index!]!
    return whileAway(world.busAway, () => lasting(fault, server.freeze, server.thaw))
  },
  async 'kill the leader, then the bus'(world, fault) {
    const server = world.bus.servers[fault.index!]!
    const one = await world.pick('leader')
    world.say(`kill the leader, then the bus: ${one === null ? 'nobody leads' : `process ${one.pid}`}`)
    if (one !== null) {
      await whileDeaf(world, one.index, async () => killIfThere(one.pid))
      await pause(fault.gapMs)
    }
    await whileAway(world.busAway, () => lasting(fault, server.kill, again(server.start)))
  },
}
