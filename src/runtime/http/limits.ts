/** What one process takes in at most, so that no sender can exhaust it. */
export interface Limits {
  /** Open connections per port; beyond it idle ones are closed, then new ones are. */
  maxConnections: number
  /** Requests at work at once in this process; more get 503. */
  maxRequests: number
  /** Bytes of bodies held at once in this process; more get 503. One body alone may be larger. */
  maxBufferedBytes: number
  /** Bytes of request line and headers together; more get 431. */
  maxHeaderBytes: number
  /** Header fields; more get 431. */
  maxHeaders: number
  /** Until the headers are there, milliseconds; also how long a new connection may say nothing. Then 408. */
  headersTimeoutMs: number
  /** Until the body is there, milliseconds, counted from the first byte of the request. Then 408. */
  requestTimeoutMs: number
  /** How often the two time-outs are looked at. */
  checkTimeoutsMs: number
  /**
   * How long an idle connection is kept. Must be longer than what balancers keep (AWS 60 s, nginx 60 s, Google Cloud 600 s): else
   * they send a request into a connection that is being closed and report 502.
   */
  keepAliveMs: number
  /** How long a port keeps listening after its last route is gone, and an endpoint is known after its route is gone. */
  graceMs: number
  /** How long a request waits for an endpoint whose route is being replaced. */
  handOverMs: number
  /** How often certificates are read again. */
  reloadMs: number
}

export const defaultLimits: Limits = {
  maxConnections: 4096,
  maxRequests: 1000,
  maxBufferedBytes: 64 * 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  maxHeaders: 256,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 60_000,
  checkTimeoutsMs: 1_000,
  keepAliveMs: 620_000,
  graceMs: 2_000,
  handOverMs: 1_000,
  reloadMs: 5_000,
}
