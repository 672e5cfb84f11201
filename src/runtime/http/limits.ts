/** What one process takes in at most, so that no sender can exhaust it. */
export interface Limits {
  /**
   * Open connections of this process. Beyond it those that nobody works for are closed, the ones that did nothing for longest first, of
   * whichever entry and address has the most.
   */
  maxConnections: number
  /**
   * TLS handshakes of this process that are not done: each holds about 70 kB and nobody is known by it yet. Beyond it those of whichever address
   * has the most are closed, the oldest first.
   */
  maxHandshakes: number
  /**
   * Requests that one sender at one entry may have at work at once, counted from when their bodies are there; more get 503. All together
   * may have 1.6 times as many, of which each entry, and at it each address, gets up to four times of what is free; a fifth is kept for
   * senders who were verified before.
   */
  maxRequests: number
  /**
   * Bytes of requests held at once in this process. What is not whole yet is dropped first, of whichever entry and address holds the most;
   * what is at work has its share as above. One request alone may be larger.
   */
  maxBufferedBytes: number
  /** Requests of one connection that are taken before the first of them is answered; what else it sends waits. */
  maxPipelined: number
  /** A body that comes more slowly on average, once {@link bodyGraceMs} have passed, gets 408. */
  minBodyBytesPerSecond: number
  bodyGraceMs: number
  /** A connection whose peer takes nothing of an answer for so long is cut. */
  answerTimeoutMs: number
  /** How often these are looked at. */
  lookMs: number
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
  maxHandshakes: 512,
  maxRequests: 1000,
  maxBufferedBytes: 32 * 1024 * 1024,
  maxPipelined: 32,
  minBodyBytesPerSecond: 240,
  bodyGraceMs: 5_000,
  answerTimeoutMs: 15_000,
  lookMs: 250,
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
