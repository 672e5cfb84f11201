/** What an entry and the HTTP listeners say to each other. */
import type { SecretKeySelector } from './context.ts'

/** What upstream's payloads show instead of credentials. */
export const MASKED = '*** Masked Auth Secret ***'

/** One HTTP route of an entry. One listener per distinct port, shared by all entries of all types. */
export interface HttpRoute {
  port: number
  /** Path, matched exactly; `{var}` and `{var:regexp}` templates work as in upstream's router. */
  endpoint: string
  /** TLS when both are given; files or Secrets are re-read when they change. */
  tls?: { cert: SecretKeySelector; key: SecretKeySelector } | undefined
  /** Bearer guard; compared in constant time; read at each request, so rotation needs no restart. */
  authSecret?: SecretKeySelector | undefined
  /** Methods that are let through; others get 405. Left out: all. */
  methods?: string[] | undefined
  /** Bytes; larger bodies get 413 before they are read whole. Default 1 MiB. */
  maxPayloadSize?: number | undefined
  /** Requests beyond it get 429, per replica. Left out: no limit. */
  rateLimit?: RateLimit | undefined
  handle(request: HttpRequest): Promise<HttpAnswer>
}

/** A token bucket: `burst` requests at once, `requestsPerSecond` in the long run. */
export interface RateLimit {
  requestsPerSecond: number
  burst: number
}

export interface HttpRequest {
  method: string
  /** Path and query as sent. */
  url: URL
  /** Canonical names (`X-Github-Event`), values in arrival order, secrets masked; as it goes into the payload. */
  headers: Record<string, string[]>
  /** First value of a header by any spelling, unmasked. */
  header(name: string): string | undefined
  /** The raw body, within the route's limit. */
  body: Buffer
  /** Values of `{var}` in the endpoint. */
  params: Record<string, string>
  /** To be said once its sender has proved to know a secret: when a listener is short of room, such are let in first. */
  proved(): void
}

export interface HttpAnswer {
  status: number
  body?: string
  headers?: Record<string, string>
}
