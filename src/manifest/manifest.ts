/** What is left of the YAML files once they are read: plain, typed objects. See load.ts for how they come about. */
import type { BusChoice, NativeChoice } from '../buses/index.ts'
import type { Finding, Need } from '../source.ts'

/** A place in a file; line and column count from 1. */
export interface Place {
  file: string
  line: number
  column: number
}

/** A {@link Finding} with its place: one line of `vedette validate`. */
export interface Diagnostic extends Finding, Place {
  /** The path from the document's root, as people write it: `spec.webhook.orders.port`. */
  at: string
}

export interface Filter {
  expression: string
  /** What happens to an event whose filter fails: `drop` (upstream's way; counted and shown) or `publish`. */
  onError: 'drop' | 'publish'
}

/** One named event under one type key. */
export interface Entry {
  type: string
  name: string
  /** Parsed by the type's schema. */
  spec: unknown
  filter?: Filter | undefined
  /** What its type needs of the process that serves it. */
  needs?: readonly Need[] | undefined
  /** TCP ports that it listens on. */
  ports?: number[] | undefined
  /** Why `run` does not serve it, when it cannot work. */
  refused?: string | undefined
  place: Place
}

export interface EventSource {
  namespace: string
  name: string
  labels: Record<string, string>
  annotations: Record<string, string>
  /** At least 0; absent in YAML: 1. */
  replicas: number
  /** The EventBus object it names; absent in YAML: `default`. */
  eventBusName: string
  entries: Entry[]
  /** `spec` as written, decoded but otherwise untouched (for rendering to Kubernetes). */
  spec: Record<string, unknown>
  place: Place
}

export type EventBus = BusChoice & {
  namespace: string
  name: string
  labels: Record<string, string>
  place: Place
}

/** One whose servers the controller makes. */
export type NativeBus = EventBus & NativeChoice

/** A Secret or ConfigMap: decoded values by key. */
export interface Values {
  namespace: string
  name: string
  data: Record<string, string>
}

export interface Manifest {
  eventSources: EventSource[]
  eventBuses: EventBus[]
  secrets: Values[]
  configMaps: Values[]
  /** Objects of kinds we do not run, as written: `Sensor/name`. */
  skipped: (Place & { kind: string; name: string; object: unknown })[]
}
