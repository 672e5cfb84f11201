/** The bus of a run, as the supervisor and every host opens it: the embedded one, or the one that the EventBus object names. */
import { sourceKey } from '../bus/bus.ts'
import { connectEmbedded } from '../bus/embedded/client.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { embeddedLock } from '../ha/locks/embedded.ts'
import { embeddedSuspicion } from '../ha/peers/embedded.ts'
import type { EventBus } from '../manifest/manifest.ts'
import { type KafkaSpec, openKafkaBus } from '../runtime/openKafka.ts'
import { type JetStreamSpec, type OpenBus, openNats } from '../runtime/openNats.ts'
import type { SecretStore } from '../runtime/secrets.ts'

/** Which bus; plain data, as it goes to a host. */
export type BusAddress =
  /** Where the bus process listens, and for which run it takes writes. */
  | { kind: 'embedded'; socket: string; incarnation: number }
  | { kind: 'jetstream'; object: EventBus }
  /** Events go to Kafka, which has no lock: the replicas elect by the embedded store. */
  | { kind: 'kafka'; object: EventBus; socket: string; incarnation: number }

export interface OpenBusOptions {
  secrets: SecretStore
  /** Names this process in the bus's log. */
  session: string
  clock: Clock
  log: Logger
}

/** Connects in the background, for ever. */
export async function openBus(address: BusAddress, options: OpenBusOptions): Promise<OpenBus> {
  if (address.kind === 'embedded') return openEmbedded(address, options)
  const { namespace, name, spec } = address.object
  if (address.kind === 'kafka') {
    const bus = await openKafkaBus({ namespace, name, spec: spec.kafka as KafkaSpec, ...options })
    const { bus: store, electionFor } = openEmbedded(address, options, 'the store that the replicas elect by')
    const close = async () => {
      await Promise.all([bus.close(), store.close()])
    }
    return {
      bus: { ...bus, close },
      electionFor(source) {
        const election = electionFor(source)
        return { ...election, lock: { ...election.lock, onBus: false } }
      },
    }
  }
  return await openNats({ namespace, spec: spec.jetstreamExotic as JetStreamSpec, ...options })
}

function openEmbedded(
  { socket, incarnation }: { socket: string; incarnation: number },
  { session, clock, log }: OpenBusOptions,
  name?: string,
): OpenBus {
  const bus = connectEmbedded({ socket, incarnation, session, clock, log, ...(name === undefined ? {} : { name }) })
  const suspicions = [embeddedSuspicion(bus)]
  return {
    bus,
    electionFor: (source) => ({ lock: embeddedLock(bus, sourceKey(source)), suspicions, close() {} }),
  }
}
