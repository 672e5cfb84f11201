/** Ways that are cut, to the bus and to origins. */
import type { Faults, TcpProxy } from '../../servers/proxy.ts'
import type { Cut } from '../plan.ts'
import { type Act, lasting, whileAway, whileDeaf } from './act.ts'

const SLOW_MS = 500

const effects: Record<Cut, Partial<Faults>> = {
  stall: { holdToServer: true, holdToClient: true },
  lost: { dropToServer: true, dropToClient: true },
  deaf: { dropToClient: true },
  refuse: { refuse: true },
  slow: { delayMs: SLOW_MS },
}
const NONE: Partial<Faults> = {
  ...{ holdToServer: false, holdToClient: false, dropToServer: false, dropToClient: false },
  ...{ refuse: false, delayMs: 0 },
}

/** @param mark of those whose way it is; all when left out */
function cut(proxies: readonly TcpProxy[], how: Cut, mark?: string) {
  const set = (to: Partial<Faults>) => {
    for (const proxy of proxies) Object.assign(mark === undefined ? proxy.faults : proxy.faultsOf(mark), to)
  }
  const reset = () => {
    for (const proxy of proxies) proxy.cut(mark)
  }
  return {
    begin() {
      set(effects[how])
      if (how === 'refuse') reset()
    },
    heal() {
      set(NONE)
      // No connection lives on of which a part is missing.
      if (how === 'lost' || how === 'deaf') reset()
    },
  }
}

export const networkActs: Record<string, Act> = {
  async 'cut off a replica from the bus'(world, fault) {
    const one = await world.pick(fault.who ?? 'leader')
    if (one === null) return world.say(`${fault.kind}: nobody is there`)
    world.say(`${fault.kind}: replica ${one.index}, ${fault.how}`)
    const { begin, heal } = cut(world.bus.proxies, fault.how!, world.bus.markOf(one.index))
    await whileAway(world.busAway, () => lasting(fault, begin, heal))
  },
  async 'cut off everybody from the bus'(world, fault) {
    const { begin, heal } = cut(world.bus.proxies, fault.how!)
    await whileAway(world.busAway, () => lasting(fault, begin, heal))
  },
  async 'cut off the origin'(world, fault) {
    const { proxy } = world.origins[fault.index!]!
    if (proxy === null) throw new Error(`${world.origins[fault.index!]!.name} has no proxy`)
    const { begin, heal } = cut([proxy], fault.how!)
    const work = () => lasting(fault, begin, heal)
    await whileAway(world.originAway[fault.index!]!, () => whileDeaf(world, 'all', work))
  },
}
