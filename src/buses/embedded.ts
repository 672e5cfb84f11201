/**
 * The embedded bus: the store of a run on one machine. No EventBus names it: it is there where none is named, in the place of one inside
 * Kubernetes, and as what replicas elect by where the bus has no lock.
 */
import type { ElectingBus, OpenOptions } from './definition.ts'

/** Where the bus process listens, and for which run it takes writes; plain data. */
export interface StoreAddress {
  socket: string
  incarnation: number
}

/** Connects in the background, for ever. @param name what it is called when it cannot be reached */
export async function openEmbedded(
  address: StoreAddress,
  options: Pick<OpenOptions, 'session' | 'clock' | 'log'>,
  name?: string,
): Promise<ElectingBus> {
  const { openEmbedded } = await import('./embedded/open.ts')
  return openEmbedded(address, options, name)
}
