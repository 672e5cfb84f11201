/** What happens to the machine: its disk, its clocks, its processors. */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fill } from '../../faults/small-disk.ts'
import { type Act, lasting, whileAway } from './act.ts'

const SPINNERS = 2

export const machineActs: Record<string, Act> = {
  async 'fill the disk'(world, fault) {
    const ballast = join(world.disk!, 'ballast')
    await whileAway(world.busAway, () =>
      lasting(
        fault,
        () => fill(ballast),
        () => rmSync(ballast),
      ),
    )
  },
  async 'set a clock'(world, fault) {
    const one = await world.pick(fault.who ?? 'leader')
    if (one === null) return world.say(`${fault.kind}: nobody is there`)
    world.say(`${fault.kind}: replica ${one.index}, process ${one.pid}`)
    const set = async (ms: number) => {
      // It may have died, or stand still.
      await world.clocks!.set(world.rig, one.pid, ms).catch(() => world.say(`the clock of ${one.pid} cannot be set`))
    }
    await lasting(
      fault,
      () => set(fault.offMs!),
      () => set(0),
    )
  },
  async 'keep the machine busy'(_, fault) {
    const spinners = Array.from({ length: SPINNERS }, () =>
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
    )
    await lasting(
      fault,
      () => {},
      () => spinners.map((one) => one.kill('SIGKILL')),
    )
  },
}
