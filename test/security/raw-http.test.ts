/** S13: what is no right HTTP/1.1 request gets the right answer on every HTTP server of the product, and never 500. */

import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { Registry } from 'prom-client'
import { residentMb } from '../../bench/process.ts'
import { serveHealth } from '../../src/controller/health.ts'
import { servePod } from '../../src/pod/server.ts'
import { orders } from '../faults/orders.ts'
import { type Rig, startRig } from '../faults/rig.ts'
import { FULL } from '../full.ts'
import { freePort, rawConnect } from '../raw-http.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

let rig: Rig | undefined
const ofRun = async (): Promise<Rig> => {
  if (rig === undefined) {
    rig = await startRig(orders(1))
    closers.push(() => rig!.close())
  }
  return rig
}

/** Servers by what they are, and a path that each has. */
const servers: Record<string, () => Promise<{ port: number; path: string }>> = {
  'a listener': async () => ({ port: (await ofRun()).ports[0]!, path: '/orders' }),
  'the API of a run': async () => ({ port: Number(new URL((await ofRun()).api).port), path: '/healthz' }),
  'a Pod’s metrics port': async () => {
    const answers = { metrics: async () => '', started: () => true, notReady: () => [], notServed: () => [] }
    const server = await servePod(answers, { host: '127.0.0.1', port: 0 })
    closers.push(() => server.close())
    return { port: (server.address() as AddressInfo).port, path: '/healthz' }
  },
  'the controller’s health port': async () => {
    const [healthPort, metricsPort] = [await freePort(), await freePort()]
    const given = { host: '127.0.0.1', healthPort, metricsPort }
    const served = await serveHealth({ notReady: () => [], registry: new Registry() }, given)
    closers.push(() => served.close())
    return { port: healthPort, path: '/healthz' }
  },
}

/** Of a whole request; `P` stands for the path. The statuses that are right, on whatever server. */
const CASES: [what: string, request: string, right: number[]][] = [
  ['two Hosts', 'GET P HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', [400]],
  ['two equal Hosts', 'GET P HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', [400]],
  ['a Host that is none', 'GET P HTTP/1.1\r\nHost: a b/c\r\n\r\n', [400]],
  ['no Host', 'GET P HTTP/1.1\r\n\r\n', [400]],
  ['gzip, chunked', 'POST P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', [501]],
  ['chunked twice', 'POST P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', [400, 501]],
  [
    'two codings',
    'POST P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    [501],
  ],
  ['identity', 'POST P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n', [400, 501]],
  ['a coding alone', 'POST P HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n', [400, 501]],
  [
    'coding and length',
    'POST P HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    [400],
  ],
  ['two lengths', 'POST P HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', [400]],
  ['a folded field', 'GET P HTTP/1.1\r\nHost: h\r\nX-A: b\r\n c\r\n\r\n', [400]],
  ['bare line feeds', 'GET P HTTP/1.1\nHost: h\n\n', [400]],
  ['a space before the colon', 'GET P HTTP/1.1\r\nHost : h\r\n\r\n', [400]],
  ['two slashes', 'GET // HTTP/1.1\r\nHost: h\r\n\r\n', [301, 400, 404]],
  ['two slashes and a host', 'GET //hP HTTP/1.1\r\nHost: h\r\n\r\n', [301, 400, 404]],
  ['an asterisk', 'GET * HTTP/1.1\r\nHost: h\r\n\r\n', [400, 404]],
  ['an authority', 'GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n', [400]],
  ['no slash', 'GET orders HTTP/1.1\r\nHost: h\r\n\r\n', [400]],
  ['dots', 'GET /a/../..P HTTP/1.1\r\nHost: h\r\n\r\n', [200, 301, 404, 405]],
  ['encoded dots', 'GET /%2e%2e/%2e%2eP HTTP/1.1\r\nHost: h\r\n\r\n', [200, 301, 404, 405]],
  ['an encoded NUL', 'GET P%00 HTTP/1.1\r\nHost: h\r\n\r\n', [400, 404]],
  ['a NUL', 'GET P\0 HTTP/1.1\r\nHost: h\r\n\r\n', [400]],
  ['a half escape', 'GET P%2 HTTP/1.1\r\nHost: h\r\n\r\n', [400, 404]],
  ['no UTF-8', 'GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n', [400, 404]],
  ['encoded no UTF-8', 'GET /%ff%fe HTTP/1.1\r\nHost: h\r\n\r\n', [400, 404]],
  ['a very long target', `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, [414, 431]],
  ['another version', 'GET P HTTP/3.0\r\nHost: h\r\n\r\n', [400, 505]],
  ['an unknown method', 'TEA P HTTP/1.1\r\nHost: h\r\n\r\n', [400, 405, 501]],
]

for (const [name, start] of Object.entries(servers)) {
  test(`${name}: what is malformed`, async () => {
    const { port, path } = await start()
    for (const [what, request, right] of CASES) {
      const connection = await rawConnect(port)
      connection.send(Buffer.from(request.replace(/P(?=[ %\0])/, path), 'latin1'))
      // API and Pod refuse names that are not theirs before they look at the path: that is right as well.
      const { status } = await connection.reply(20_000)
      assert.ok(right.includes(status) || status === 421, `${what}: ${status}`)
      connection.end()
    }
  })

  test(`${name}: what is right in an unusual form`, async () => {
    const { port, path } = await start()
    for (const request of [
      `GET http://127.0.0.1${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
      `GET ${path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
    ]) {
      const connection = await rawConnect(port)
      connection.send(request)
      const { status } = await connection.reply(20_000)
      assert.ok([200, 405].includes(status), `${request}: ${status}`)
      connection.end()
    }
  })
}

test('raw HTTP made up from a seed: no 5xx but 501, 503 and 505, no crash, bounded memory', async (t) => {
  const { ports, api, hostPids } = await ofRun()
  const [pid] = await hostPids()
  const seed = Number(process.env.VEDETTE_SEED ?? 20261130)
  const draw = random(seed)
  const end = performance.now() + (FULL ? 120_000 : 3_000)
  let requests = 0
  while (performance.now() < end) {
    const port = draw(4) === 0 ? Number(new URL(api).port) : ports[0]!
    const bytes = Buffer.from(
      Array.from({ length: 1 + draw(12) }, () => PIECES[draw(PIECES.length)]!).join(''),
      'latin1',
    )
    const connection = await rawConnect(port)
    connection.send(bytes)
    connection.socket.end()
    const rest = await connection.closed(30_000)
    for (const [, status] of rest.matchAll(/HTTP\/1\.1 (\d+)/g)) {
      assert.ok(
        Number(status) < 500 || ['501', '503', '505'].includes(status!),
        `${status} for ${JSON.stringify(bytes.toString('latin1'))} (seed ${seed})`,
      )
    }
    requests++
  }
  t.diagnostic(`${requests} connections, ${residentMb(pid!).toFixed(0)} MB`)
  assert.deepEqual(await hostPids(), [pid], 'the process is another one')
  assert.ok(residentMb(pid!) <= 300)
})

const PIECES = [
  ...[
    'GET ',
    'POST ',
    'OPTIONS ',
    'CONNECT ',
    'HEAD ',
    'TEA ',
    '/orders ',
    '/healthz ',
    '// ',
    '* ',
    '/%00 ',
    '/a/../b ',
    'http://h/orders ',
  ],
  ...['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', '\r\n', '\r\n\r\n', '\n', '\r', ' ', '\t', '\0', '\x7f', '\xff'],
  ...[
    'Host: h\r\n',
    'Host: 127.0.0.1\r\n',
    'Host:\r\n',
    'Content-Length: 2\r\n',
    'Content-Length: 99999\r\n',
    'Content-Length: -1\r\n',
  ],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Expect: 100-continue\r\n',
    'Expect: tea\r\n',
  ],
  ...['Connection: close\r\n', 'Connection: Upgrade\r\nUpgrade: websocket\r\n', 'Trailer: X-A\r\n', ' folded\r\n'],
  ...['{}', '2\r\n{}\r\n', '0\r\n\r\n', '0\r\nX-A: b\r\n\r\n', 'ffffffffffffffff\r\n', '1;x=y\r\n'],
  'POST /orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
  'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
]

/** Numbers below `n`, the same for the same seed (mulberry32). */
function random(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}
