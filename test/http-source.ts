/** Serves one HTTP source behind a real listener, without bus or election. */

import { systemClock } from '../src/core/clock.ts'
import { silentLogger } from '../src/core/log.ts'
import { withoutCredentials } from '../src/core/url-credentials.ts'
import { createListeners } from '../src/runtime/http/listeners.ts'
import type { SourceDefinition } from '../src/source.ts'
import { type Harness, serveInHarness } from './harness.ts'
import { freePort, type Reply, rawRequest } from './raw-http.ts'

export interface ServedSource {
  harness: Harness<any>
  port: number
  /** `send('POST /e', { 'Content-Type': '…' }, body)` */
  send(start: string, headers?: Record<string, string>, body?: string | Buffer): Promise<Reply>
  /** Payloads so far. */
  events(): string[]
  close(): Promise<void>
}

/** @param specOf the spec for a free port */
export async function serveHttpSource(
  definition: SourceDefinition<any, any>,
  specOf: (port: number) => unknown,
  options: Omit<NonNullable<Parameters<typeof serveInHarness>[2]>, 'http'> = {},
): Promise<ServedSource> {
  const port = await freePort()
  const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log: silentLogger })
  const harness: Harness<any> = serveInHarness(definition, specOf(port), {
    ...options,
    http: (route, signal) =>
      listeners.route('default/es/e', route, {
        signal,
        secret: (s) => harness.context.secret(s),
        log: silentLogger,
        redact: withoutCredentials,
      }),
  })
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => {})
  harness.onEnd((error) => ended.reject(error ?? new Error('it ended')))
  await Promise.race([harness.until(() => listeners.ready() && harness.routes.length > 0), ended.promise])
  // The route is there as soon as the listener answers on it.
  await systemClock.sleep(0)
  return {
    harness,
    port,
    send(start, headers = {}, body) {
      const fields = Object.entries(headers).map(([name, value]) => `\n${name}: ${value}`)
      return rawRequest(port, `${start} HTTP/1.1${fields.join('')}`, body)
    },
    events: () => harness.emitted.map(({ text }) => text),
    async close() {
      await harness.stop()
      await listeners.close()
    },
  }
}
