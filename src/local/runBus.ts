/** The bus as the supervisor holds it: an embedded one has a process to keep alive, as has the election of one without a lock; any other is somebody else's. */
import type { Bus } from '../bus/bus.ts'
import { definitionOf } from '../buses/index.ts'
import type { Clock } from '../core/clock.ts'
import { type Logger, silentLogger } from '../core/log.ts'
import type { EventBus } from '../manifest/manifest.ts'
import type { SecretStore } from '../runtime/secrets.ts'
import { announceTransport } from '../runtime/transport.ts'
import { type BusAddress, openRunBus } from './bus.ts'
import { startBusProcess } from './busProcess.ts'

export interface RunBus {
  readonly address: BusAddress
  readonly bus: Bus
  /** For readers of the API: the embedded bus lets connections take turns, so that they come before nothing else. */
  readonly reading: Bus
  /** Restarts of the bus process. */
  readonly restarts: number
  /** What the bus process does in its start, or why it does not start; null while it runs, and for a bus that is somebody else's. */
  readonly trouble: string | null
  /** Rejects when the bus cannot be kept alive any more. */
  readonly failed: Promise<never>
  stop(): Promise<void>
  kill(): void
}

/** @throws SPEC_INVALID for a bus outside that cannot be used; what the embedded bus says of its store: STORE_CORRUPT, STORE_TOO_NEW, DATA_DIR_IN_USE… */
export async function startRunBus({
  object,
  dir,
  socket,
  secrets,
  clock,
  log,
  onPid,
}: {
  /** The EventBus that is outside, where events go; null: the embedded one. */
  object: EventBus | null
  dir: string
  socket: string
  secrets: SecretStore
  clock: Clock
  log: Logger
  onPid: (pid: number) => void
}): Promise<RunBus> {
  const options = { secrets, session: 'supervisor', clock, log }
  if (object !== null && definitionOf(object.kind).elects !== false) {
    const address: BusAddress = { object, store: null }
    const { bus } = await openRunBus(address, options)
    announceTransport(bus, log)
    return {
      address,
      bus,
      reading: bus,
      restarts: 0,
      trouble: null,
      failed: new Promise(() => {}),
      stop: () => bus.close(),
      kill() {},
    }
  }
  const busProcess = await startBusProcess({ dir, socket, clock, log, onPid })
  const store = { socket: busProcess.socket, incarnation: busProcess.incarnation }
  const embedded: BusAddress = { object: null, store }
  const address: BusAddress = object === null ? embedded : { object, store }
  const { bus } = await openRunBus(address, options).catch(async (error: unknown) => {
    await busProcess.stop()
    throw error
  })
  const { bus: watched } = object === null ? { bus } : await openRunBus(embedded, options)
  const quiet = { ...options, session: 'readers', log: silentLogger }
  const { bus: reading } = object === null ? await openRunBus(embedded, quiet) : { bus }
  busProcess.watch(() => watched.kv.get('ping'))
  if (object !== null) announceTransport(bus, log)
  return {
    address,
    bus,
    reading,
    get restarts() {
      return busProcess.restarts
    },
    get trouble() {
      return busProcess.trouble
    },
    failed: busProcess.failed,
    async stop() {
      await Promise.all([bus.close(), watched.close(), reading.close()])
      await busProcess.stop()
    },
    kill: () => busProcess.kill(),
  }
}
