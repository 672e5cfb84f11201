/** The stream is emptied or deleted by somebody, while nobody can write: what the judge has copied before is the log until then. */
import { setTimeout as pause } from 'node:timers/promises'
import { killIfThere } from '../../faults/rig.ts'
import { processesOf } from '../processes.ts'
import type { World } from '../world.ts'
import { type Act, whileAway } from './act.ts'

/** Positions are on the stream: with a leader that lives they are written anew, and else they are gone (docs/eventbus.md). */
async function everybodyLed({ rig }: World): Promise<boolean> {
  const { eventSources } = await rig.status()
  return eventSources.every(({ entries, replicas }) =>
    entries.every(({ strategy, leader }) => {
      const leads = replicas.find(({ id }) => id === leader)
      return strategy === 'active-active' || (leads?.state === 'serving' && leads.pid !== null)
    }),
  )
}

/** What was on its way has arrived. */
const STILL_MS = 150

async function wiped(world: World, how: 'purge' | 'delete'): Promise<void> {
  // Another may take longer than was drawn.
  if (!world.turns.quiet()) return world.say('not done: something else is going on')
  if (!(await everybodyLed(world).catch(() => false))) return world.say('not done: not every EventSource has a leader')
  const { hosts } = await processesOf(world.rig)
  await whileAway(world.busAway, async () => {
    // They stand still while the stream is copied, but not for so long that another would lead.
    for (const pid of hosts) killIfThere(pid, 'SIGSTOP')
    try {
      await pause(STILL_MS)
      await world.bus.wipe!(how)
    } finally {
      for (const pid of hosts) killIfThere(pid, 'SIGCONT')
    }
  })
}

export const streamActs: Record<string, Act> = {
  'purge the stream': (world) => wiped(world, 'purge'),
  'delete the stream': (world) => wiped(world, 'delete'),
}
