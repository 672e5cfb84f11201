/** The bus of a run, as faults and the judge see it. */

import type { Logged } from '../../faults/stream-log.ts'
import type { TcpProxy } from '../../servers/proxy.ts'
import type { World } from '../world.ts'

export interface BusServer {
  kill(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Graceful. */
  stop(): Promise<void>
  /** After `kill` or `stop`. */
  start(): Promise<void>
}

/** All that is stored, and the fence looked for on it. */
export interface BusLog {
  events: Logged[]
  /** @throws when an event of an older term was stored after a newer one had begun. @returns how many terms wrote */
  fenced(): number
}

export interface ChaosBus {
  /** The EventBus in the manifest; null: it needs none. */
  readonly document: string | null
  /** As status calls it. */
  readonly kind: 'embedded' | 'jetstream' | 'kafka'
  /** Ids of active-active entries are not known to it: a repeat may be there twice. */
  readonly repeats: boolean
  readonly servers: readonly BusServer[]
  /** By which the run reaches it; none where it is a process of the run. */
  readonly proxies: readonly TcpProxy[]
  /** Whose connection it is, for a proxy. */
  markOf(host: number): string
  /** After the run has ended. */
  read(): Promise<BusLog>
  /** Copies what there is for the judge, and takes it away. Nobody may write meanwhile. */
  wipe?(how: 'purge' | 'delete'): Promise<void>
  /** For a bus that is a part of the run. */
  attach?(world: World): void
}
