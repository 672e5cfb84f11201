/** The whole run is killed or ended, and started again on the same data. */
import { execFileSync } from 'node:child_process'
import { killIfThere } from '../../faults/rig.ts'
import type { World } from '../world.ts'
import { type Act, lasting, Ruined, whileAway, whileDeaf } from './act.ts'

const END_MS = 90_000

/** A run that is not ready in time may be slow; one that has ended may not. */
async function startAgain({ rig, say }: World): Promise<void> {
  try {
    await rig.restart()
    say(`started again, ready after ${rig.readyMs.toFixed(0)} ms`)
  } catch (error) {
    // A signal is nothing that it does by itself.
    if (rig.supervisor.exitCode !== null) throw portTaken(error as Error, rig.dir) ?? error
    say('started again, not ready yet')
  }
}

/** While the run was away, a stranger on this machine was given its port. One of its own that holds it is no such thing. */
function portTaken({ message }: Error, dir: string): Ruined | null {
  const [line] = /cannot listen on .*/.exec(message) ?? []
  if (line === undefined) return null
  const commands = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')
  return commands.some((command) => command.includes(dir)) ? null : new Ruined(`the run ${line}`)
}

const gone = (end: (world: World) => Promise<unknown>): Act => {
  return (world, fault) =>
    whileAway(world.busAway, () =>
      whileDeaf(world, 'all', () =>
        lasting(
          fault,
          () => end(world),
          () => startAgain(world),
        ),
      ),
    )
}

/** @throws when it does not end, or with another code than 0 */
export async function endRun({ rig }: Pick<World, 'rig'>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<'too long'>((resolve) => {
    timer = setTimeout(() => resolve('too long'), END_MS)
  })
  const code = await Promise.race([rig.stop(), tooLong])
  clearTimeout(timer)
  if (code !== 0)
    throw new Error(code === 'too long' ? `the run has not ended after ${END_MS} ms` : `the run ended with ${code}`)
}

export const runActs: Record<string, Act> = {
  'kill everything': gone(({ rig }) => rig.killAll()),
  'end everything': gone((world) => endRun(world)),
  'kill the supervisor': gone(async ({ rig }) => {
    const ended = new Promise((resolve) => rig.supervisor.once('exit', resolve))
    killIfThere(rig.supervisor.pid!)
    await ended
  }),
}
