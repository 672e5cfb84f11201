/** Suspicion on the embedded bus (and its memory twin): the bus sees the socket of the process that wrote a lease close. */
import type { LeaseBus } from '../../bus/embedded/face.ts'
import type { Suspicion } from '../lock.ts'

export function embeddedSuspicion(client: Pick<LeaseBus, 'onSuspect'>): Suspicion {
  return { onSuspect: (listener) => client.onSuspect(listener) }
}
