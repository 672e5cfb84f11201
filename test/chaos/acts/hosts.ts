/** What happens to the processes of replicas. */
import { setTimeout as pause } from 'node:timers/promises'
import { killIfThere } from '../../faults/rig.ts'
import type { Fault } from '../plan.ts'
import { processesOf } from '../processes.ts'
import type { World } from '../world.ts'
import { type Act, lasting, whileDeaf } from './act.ts'

/** Does it to the replica that the fault means, if there is one. */
const toOne =
  (work: (world: World, fault: Fault, one: { index: number; pid: number }) => Promise<void>): Act =>
  async (world, fault) => {
    const one = await world.pick(fault.who ?? 'leader')
    if (one === null) return world.say(`${fault.kind}: nobody is there`)
    world.say(`${fault.kind}: replica ${one.index}, process ${one.pid}`)
    await work(world, fault, one)
  }

/** Of every 100 ms it may work for this long. */
const SLICE_MS = 8

export const hostActs: Record<string, Act> = {
  'kill a host': toOne((world, _, { index, pid }) => whileDeaf(world, index, async () => killIfThere(pid))),
  'end a host': toOne((world, _, { index, pid }) => whileDeaf(world, index, async () => killIfThere(pid, 'SIGTERM'))),
  'kill all hosts': (world) =>
    whileDeaf(world, 'all', async () => {
      const { hosts } = await processesOf(world.rig)
      world.say(`kill all hosts: ${hosts.join(', ')}`)
      for (const pid of hosts) killIfThere(pid)
    }),
  'freeze a host': toOne((world, fault, { index, pid }) =>
    whileDeaf(world, index, () =>
      lasting(
        fault,
        () => killIfThere(pid, 'SIGSTOP'),
        () => killIfThere(pid, 'SIGCONT'),
      ),
    ),
  ),
  'starve a host': toOne(async (_, { lastsMs }, { pid }) => {
    const endMs = performance.now() + lastsMs
    try {
      while (performance.now() < endMs) {
        killIfThere(pid, 'SIGSTOP')
        await pause(100 - SLICE_MS)
        killIfThere(pid, 'SIGCONT')
        await pause(SLICE_MS)
      }
    } finally {
      killIfThere(pid, 'SIGCONT')
    }
  }),
  async 'hand over'(world) {
    const { code, stderr } = await world.rig.cli('failover', 'clock')
    world.say(`hand over: exit ${code} ${stderr.trim().split('\n').at(-1)}`)
  },
}
