/** The bus of a run, as the supervisor and every host opens it: the embedded one, or the one that the EventBus object names. */
import { type ElectingBus, type OpenOptions, openBus, openEmbedded, type StoreAddress } from '../buses/index.ts'
import type { EventBus } from '../manifest/manifest.ts'

/** Which bus; plain data, as it goes to a host. */
export type BusAddress =
  /** The embedded one. */
  | { object: null; store: StoreAddress }
  /** One outside; without a lock of its own, the replicas elect by the store. */
  | { object: EventBus; store: StoreAddress | null }

/** Connects in the background, for ever. @throws SPEC_INVALID for a bus outside that cannot be used */
export async function openRunBus(
  { object, store }: BusAddress,
  options: Pick<OpenOptions, 'secrets' | 'session' | 'clock' | 'log'>,
): Promise<ElectingBus> {
  if (object === null) return await openEmbedded(store, options)
  const outside = await openBus(object, options)
  if (outside.electionFor !== null) return outside
  const { bus } = outside
  const { bus: keeper, electionFor } = await openEmbedded(store!, options, 'the store that the replicas elect by')
  const close = async () => {
    await Promise.all([bus.close(), keeper.close()])
  }
  return {
    bus: { ...bus, close },
    electionFor(source) {
      const election = electionFor(source)
      return { ...election, lock: { ...election.lock, onBus: false } }
    },
  }
}
