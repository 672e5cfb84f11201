/** Whatever is sent to the API of a run or written into a manifest: an answer or a finding, never a crash. Seeded; minutes in the whole matrix. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { seeded } from '../../sim/random.ts'
import { createReaders } from '../../src/api/readers.ts'
import type { Run } from '../../src/api/run.ts'
import { createApi } from '../../src/api/server.ts'
import { memoryBusWorld } from '../../src/bus/memory.ts'
import { systemClock } from '../../src/core/clock.ts'
import { fail, isVedetteError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/log.ts'
import { withoutCredentials } from '../../src/core/url-credentials.ts'
import { diagnosticLine, loadManifest } from '../../src/manifest/load.ts'
import { FULL } from '../full.ts'
import { mutations } from '../fuzz.ts'

const PATHS = [
  ...[
    '/',
    '/healthz',
    '/startupz',
    '/readyz',
    '/readyz/delivery',
    '/metrics',
    '/v1/status',
    '/v1/events',
    '/v1/failover',
  ],
  ...[
    '/v1/replay',
    '/v1/publish',
    '/v1/deliveries',
    '/v1/nothing',
    '//',
    '/%00',
    '/../etc/passwd',
    '/__proto__',
    '/constructor',
  ],
]
const VERBS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']
const NAMES = ['from', 'source', 'limit', 'follow', 'entry', 'to', 'since', 'n', '__proto__', 'x']
const VALUES = [
  '',
  'start',
  'end',
  '0',
  '-1',
  '1e9',
  'NaN',
  '900000000',
  'false',
  's',
  'default/s',
  '%ff',
  '%00',
  '2026-11-30',
  '\u202e',
  'a'.repeat(3000),
]

test('the API: every path and verb, with any query, header and body', async (t) => {
  const bus = memoryBusWorld().connect('host')
  const run: Run = {
    bus,
    reading: bus,
    status: async () => ({ eventSources: [] }) as never,
    started: () => true,
    readiness: async () => ({ ready: true, reasons: [], notServed: [] }),
    delivery: () => null,
    metrics: async () => 'up 1\n',
    failOver: async (source) => ({ from: 's-0', to: `${source.name}-1`, term: 2 }),
    find(name) {
      if (name !== 's') throw fail('SOURCE_UNKNOWN', `there is no EventSource ${name}`)
      return { namespace: 'default', name }
    },
    eventType: () => 'webhook',
    stop: () => {},
  }
  const readers = createReaders({ most: 8 }, { clock: systemClock, log: silentLogger })
  const options = { run, readers, readTokens: null, log: silentLogger, redact: withoutCredentials, trusted: false }
  const server = createApi({ ...options, token: 'the-token', host: 'localhost' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const random = seeded(15)
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const bodies = mutations(['{"source":"s","from":1}', '[]', 'null', '{"__proto__":{"x":1}}'], {
    seed: 15,
    runs: FULL ? 20_000 : 300,
  })
  for (const body of bodies) {
    const query = Array.from({ length: Math.floor(random() * 4) }, () => `${one(NAMES)}=${encodeURI(one(VALUES))}`)
    const [method, path] = [one(VERBS), `${one(PATHS)}${query.length === 0 ? '' : `?${query.join('&')}`}`]
    const { status, text } = await ask({ port, method, path, body, authorized: random() < 0.7 })
    assert.ok(status < 500 || status === 503, `${method} ${path} ${body}: ${status} ${text}`)
    assert.doesNotMatch(text, /^\s+at .*\.[tj]s:\d+/m, `${method} ${path}: a stack`)
  }
  assert.equal((await ask({ port, method: 'GET', path: '/healthz' })).status, 200)
  assert.equal(({} as { x?: number }).x, undefined)
})

/** What follows the log is cut off after its first bytes, or when it says nothing. */
function ask(sent: { port: number; method: string; path: string; body?: Buffer; authorized?: boolean }) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const { port, method, path, body, authorized } = sent
    const headers: Record<string, string> = { host: 'localhost' }
    if (authorized) headers.authorization = 'Bearer the-token'
    const asked = request({ port, method, path, headers, agent: false }, (response) => {
      let text = ''
      const cut = setTimeout(() => asked.destroy(), 50)
      const end = () => {
        clearTimeout(silent)
        clearTimeout(cut)
        resolve({ status: response.statusCode!, text })
      }
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('error', () => {})
      response.on('close', end)
    })
    // Who follows an empty log hears nothing.
    const silent = setTimeout(
      () => {
        if (!path.startsWith('/v1/events')) return reject(new Error(`${method} ${path}: no answer`))
        asked.destroy()
        resolve({ status: 200, text: '' })
      },
      path.startsWith('/v1/events') ? 100 : 20_000,
    )
    asked.on('error', (error) => reject(new Error(`${method} ${path}: ${error.message}`)))
    asked.end(method === 'GET' || method === 'HEAD' ? undefined : body)
  })
}

const MANIFEST = `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: orders, labels: {a: &a [1, 2]}, annotations: {b: *a}}
spec:
  replicas: 2
  webhook: {created: {port: "12000", endpoint: /orders, method: POST, filter: {expression: body.x == 1}}}
  github: {g: {webhook: {port: "12000", endpoint: /g, method: POST}, organizations: [acme]}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: v}}
`
const HOSTILE = [
  `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
    .split('')
    .map((name, n) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[n]}`).join(', ')}]`)
    .join('\n')}\n`,
  'a: &a [*a]\n',
  `${'['.repeat(20_000)}`,
  `${'{a: '.repeat(5_000)}1${'}'.repeat(5_000)}`,
  `${'- '.repeat(5_000)}x\n`,
  MANIFEST.replace('replicas: 2', 'replicas: 1e400'),
  MANIFEST.replace('replicas: 2', `replicas: ${'9'.repeat(5_000)}`),
  MANIFEST.replace('  webhook:', '  __proto__: {polluted: 1}\n  webhook:'),
  MANIFEST.replace('created:', '__proto__:'),
  MANIFEST.replace('labels: {', 'labels: {constructor: {prototype: {polluted: 1}}, '),
  MANIFEST.replace('name: orders', 'name: !!js/function "() => 1"'),
  MANIFEST.replace('name: orders', `name: "${'x'.repeat(100_000)}"`),
  '\0\0\0',
  '%YAML 9.9\n---\n',
]

test('manifests: bombs of aliases, depth, huge numbers, keys of prototypes, and anything else', async () => {
  const survives = async (text: string) => {
    const before = process.cpuUsage()
    try {
      const { diagnostics } = await loadManifest([{ file: 'f', text }])
      for (const diagnostic of diagnostics) assert.match(diagnosticLine(diagnostic), /^f:\d+:\d+: /)
    } catch (error) {
      if (!isVedetteError(error)) throw new Error(`${text.slice(0, 200)}: ${(error as Error).stack}`)
    }
    const { user, system } = process.cpuUsage(before)
    assert.ok(user + system < 5e6, `${(user + system) / 1e6} s of processor time: ${text.slice(0, 100)}`)
    assert.equal(({} as { polluted?: number }).polluted, undefined)
  }
  for (const text of HOSTILE) await survives(text)
  for (const input of mutations([MANIFEST], { seed: 16, runs: FULL ? 30_000 : 400 })) await survives(input.toString())
})
