/** What EventSources and Sensors are told of their bus: `status.config` of the EventBus, `EVENTBUS_CONFIG` of the Pods. */
import type { SecretKeySelector } from '../source.ts'

export interface Tls {
  caCertSecret?: SecretKeySelector
  clientCertSecret?: SecretKeySelector
  clientKeySecret?: SecretKeySelector
  insecureSkipVerify?: boolean
  enabled?: boolean
}

/** Where NATS servers with JetStream are. */
export interface NatsConfig {
  url: string
  accessSecret?: SecretKeySelector
  streamConfig?: string
  tls?: Tls
}

/** Upstream's BusConfig; one member is set, which may be that of a bus that upstream does not have. */
export interface BusConfig {
  /** NATS Streaming; only in the status that upstream left. */
  nats?: { url?: string; clusterID?: string; auth?: string; accessSecret?: SecretKeySelector }
  jetstream?: NatsConfig
  kafka?: { url: string; topic: string; [field: string]: unknown }
  [config: string]: unknown
}
