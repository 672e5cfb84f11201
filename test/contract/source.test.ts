import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { createListeners } from '../../src/runtime/http/listeners.ts'
import calendar from '../../src/sources/calendar.ts'
import file from '../../src/sources/file.ts'
import webhook from '../../src/sources/webhook.ts'
import { fakeClock } from '../fake-clock.ts'
import { freePorts } from '../servers/process.ts'
import { sourceContract } from './source.ts'

sourceContract(calendar, async () => {
  const clock = fakeClock(Date.parse('2026-11-22T15:18:14Z'))
  return {
    spec: { interval: '10s' },
    options: () => ({ clock }),
    ready: () => clock.advance(0),
    provoke: () => clock.advance(10_000),
  }
})

sourceContract(file, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vedette-contract-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  let files = 0
  return {
    spec: { eventType: 'CREATE', watchPathConfig: { directory, pathRegexp: '.*' } },
    // Its first look is durable before it reports anything.
    ready: (harness) =>
      harness.until(
        () => harness.snapshot !== null || harness.advanced.length > 0 || harness.context.resume() !== null,
      ),
    provoke: async () => writeFileSync(join(directory, `f${files++}`), ''),
  }
})

sourceContract(webhook, async (t) => {
  const [port] = (await freePorts(1)) as [number]
  const listeners = createListeners({ bind: '127.0.0.1', clock: systemClock, log: silentLogger })
  t.after(() => listeners.close())
  let requests = 0
  const post = () =>
    fetch(`http://127.0.0.1:${port}/e`, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json', 'idempotency-key': String(requests++), connection: 'close' },
    })
  return {
    spec: { endpoint: '/e', port: String(port), method: 'POST' },
    options: (harness) => ({
      http: (route, signal) =>
        listeners.route('default/es/e', route, {
          signal,
          secret: (selector) => harness().context.secret(selector),
          log: silentLogger,
        }),
    }),
    async ready(harness) {
      await harness.until(() => harness.routes.length > 0)
      while (!listeners.ready()) await pause(5)
    },
    provoke: post,
  }
})
