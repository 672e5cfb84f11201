/** The exchange as a plan: what happens to each object. Pure: the same snapshot gives the same plan. */
import type { LoadSource } from '../cluster.ts'
import type { Settings } from '../settings.ts'
import { busSteps } from './buses.ts'
import { installSteps, type Target } from './installs.ts'
import type { Snapshot } from './snapshot.ts'
import { sensorSteps, sourceSteps } from './sources.ts'
import type { Step } from './steps.ts'

export interface PlanOptions extends Target {
  settings: Settings
  load: LoadSource
}

/** In the order in which it happens. */
export async function planExchange(snapshot: Snapshot, { settings, load, ...target }: PlanOptions): Promise<Step[]> {
  return [
    ...snapshot.unseen.map(unseenStep),
    ...installSteps(snapshot, target),
    ...(await busSteps(snapshot)),
    ...(await sourceSteps(snapshot, settings, load)),
    ...sensorSteps(snapshot, settings),
  ]
}

function unseenStep(why: string): Step {
  const remedy = 'ask with an account that may read it; what is not seen is not planned'
  return { object: 'what could not be read', fate: 'left', what: why, refusal: { reason: 'unseen', why, remedy } }
}
