/** The whole run is killed or ended, and started again on the same data. */
import { killIfThere } from '../../faults/rig.ts'
import type { World } from '../world.ts'
import { type Act, lasting, whileAway, whileDeaf } from './act.ts'

const END_MS = 90_000

/** A run that is not ready in time may wait for its bus; one that has ended may not. */
async function startAgain({ rig, say }: World): Promise<void> {
  try {
    await rig.restart()
    say(`started again, ready after ${rig.readyMs.toFixed(0)} ms`)
  } catch (error) {
    // A signal is nothing that it does by itself.
    if (rig.supervisor.exitCode !== null) throw error
    say('started again, not ready yet')
  }
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
