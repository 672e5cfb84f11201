/** What the supervisor and a host process say to each other, over the channel between parent and child. */
import type { Snapshot } from '../api/metrics.ts'
import type { LogLevel } from '../core/log.ts'
import type { EventSource, Values } from '../manifest/manifest.ts'
import type { ListenerSettings } from '../runtime/http/settings.ts'
import type { Failover, ReplicaReport } from '../runtime/report.ts'
import type { BusAddress } from './bus.ts'

/** What a host needs to know once. */
export interface HostConfig {
  index: number
  bus: BusAddress
  /** Address that source listeners bind. */
  bind: string
  listeners: ListenerSettings
  secretsDir: string | undefined
  logLevel: LogLevel
}

/** What a host runs: the objects of which it holds a replica. */
export interface Assignment {
  objects: EventSource[]
  secrets: Values[]
  configMaps: Values[]
}

export type Ask =
  /** First of all; answered once all replicas have started. */
  | { ask: 'start'; config: HostConfig; assignment: Assignment }
  | { ask: 'apply'; assignment: Assignment }
  /** Answered with `boolean`: whether it led. */
  | { ask: 'handOver'; namespace: string; name: string; successor: string | undefined }
  /** Answered with a {@link Snapshot}. */
  | { ask: 'metrics' }
  /** Stop taking, drain, hand over, release; answered, then the process ends. */
  | { ask: 'drain' }

export type ToHost =
  | (Ask & { number: number })
  /** The answer to `openPort`; the socket travels with it. */
  | { port: number; number: number; code?: string | undefined }

export type FromHost =
  | { say: 'answer'; number: number; value?: unknown; error?: string }
  /** All replicas of the host; at changes, and every 500 ms as a sign of life. */
  | { say: 'reports'; reports: ReplicaReport[] }
  | { say: 'failover'; failover: Failover }
  | { say: 'openPort'; number: number; port: number; host: string }
  | { say: 'closePort'; port: number }
  /** Last words of a process that ends by itself. */
  | { say: 'dying'; reason: string }

export type Answers = { metrics: Snapshot; handOver: boolean }

/** How often a host says that it lives, milliseconds. */
export const SIGN_OF_LIFE_MS = 500
