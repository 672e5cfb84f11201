/** Listeners and routes for tests of the HTTP machinery. */

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../src/core/clock.ts'
import { silentLogger } from '../src/core/log.ts'
import { withoutCredentials } from '../src/core/url-credentials.ts'
import type { Limits } from '../src/runtime/http/limits.ts'
import { createListeners, type Listeners } from '../src/runtime/http/listeners.ts'
import type { HttpAnswer, HttpRequest, HttpRoute } from '../src/source.ts'

/** Listeners on loopback that `cleanUps` closes. */
export function listen(cleanUps: (() => unknown)[], limits: Partial<Limits> = {}, log = silentLogger): Listeners {
  const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log, ...limits })
  cleanUps.push(() => listeners.close())
  return listeners
}

/** Registers a route, `/x` answering `ok` unless told otherwise; returns what ends it. */
export async function serve(
  listeners: Listeners,
  route: Partial<HttpRoute> & { port: number },
  { owner = 'default/es/e', secret = async () => 'token' }: { owner?: string; secret?: Secret } = {},
): Promise<AbortController> {
  const ends = new AbortController()
  await listeners.route(
    owner,
    { endpoint: '/x', handle: async () => ({ status: 200, body: 'ok' }), ...route },
    { signal: ends.signal, secret, log: silentLogger, redact: withoutCredentials },
  )
  return ends
}

type Secret = (selector: { name: string; key: string }) => Promise<string>

/** A handler whose requests wait to be answered by the test. */
export function held() {
  const waiting: { request: HttpRequest; answer: (answer: HttpAnswer) => void }[] = []
  return {
    waiting,
    handle: (request: HttpRequest) => new Promise<HttpAnswer>((answer) => waiting.push({ request, answer })),
    arrived: (count: number) => until(() => waiting.length >= count, `${count} requests`),
  }
}

/** Polls until `holds`; fails after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 5_000): Promise<void> {
  const started = performance.now()
  while (!(await holds())) {
    assert.ok(performance.now() - started < timeoutMs, `not within ${timeoutMs} ms: ${what}`)
    await sleep(5)
  }
}
