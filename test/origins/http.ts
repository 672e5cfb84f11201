/** For types that listen: a sender that posts, and the listeners of the runtime. */
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { withoutCredentials } from '../../src/core/url-credentials.ts'
import { createListeners } from '../../src/runtime/http/listeners.ts'
import { freePorts } from '../servers/process.ts'
import type { ContractAdapter, Origin } from './suites.ts'

/**
 * An origin that posts to the source's endpoint.
 * @param delivery headers of the n-th request. @param bodyOf its body, `{"a":1}` by default
 */
export function httpContract(
  specOf: (port: number) => unknown,
  delivery: (n: number) => Record<string, string>,
  { bodyOf = () => '{"a":1}', secrets = {} }: { bodyOf?: (n: number) => string; secrets?: Record<string, string> } = {},
): () => ContractAdapter[] {
  const setUp = async (t: TestContext): Promise<Origin> => {
    const [port] = (await freePorts(1)) as [number]
    const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log: silentLogger })
    t.after(() => listeners.close())
    let requests = 0
    const post = () => {
      const n = requests++
      return fetch(`http://127.0.0.1:${port}/e`, {
        method: 'POST',
        body: bodyOf(n),
        headers: { 'content-type': 'application/json', connection: 'close', ...delivery(n) },
      })
    }
    return {
      spec: specOf(port),
      options: (harness) => ({
        secrets,
        http: (route, signal) =>
          listeners.route('default/es/e', route, {
            signal,
            secret: (selector) => harness().context.secret(selector),
            log: silentLogger,
            redact: withoutCredentials,
          }),
      }),
      async ready(harness) {
        await harness.until(() => harness.routes.length > 0)
        while (!listeners.ready()) await pause(5)
      },
      provoke: post,
    }
  }
  return () => [{ skip: false, setUp }]
}

/** The fields that say where a type listens. */
export const context = (port: number) => ({ endpoint: '/e', port: String(port), method: 'POST' })

export const selector = { name: 's', key: 'k' }
