/** The store of a run, as the supervisor and every host opens it. */
import { sourceKey } from '../../bus/bus.ts'
import { connectEmbedded } from '../../bus/embedded/client.ts'
import { embeddedLock } from '../../ha/locks/embedded.ts'
import { embeddedSuspicion } from '../../ha/peers/embedded.ts'
import type { ElectingBus, OpenOptions } from '../definition.ts'
import type { StoreAddress } from '../embedded.ts'

export function openEmbedded(
  { socket, incarnation }: StoreAddress,
  { session, clock, log }: Pick<OpenOptions, 'session' | 'clock' | 'log'>,
  name?: string,
): ElectingBus {
  const bus = connectEmbedded({ socket, incarnation, session, clock, log, ...(name === undefined ? {} : { name }) })
  const suspicions = [embeddedSuspicion(bus)]
  return {
    bus,
    electionFor: (source) => ({ lock: embeddedLock(bus, sourceKey(source)), suspicions, close() {} }),
  }
}
