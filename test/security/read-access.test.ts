/** Who may read, and who may make a browser ask: rows S10 and S16 of the list of attacks, on a real run and on the servers of Pods and controller. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import { serveHealth } from '../../src/controller/health.ts'
import { servePod } from '../../src/pod/server.ts'
import { directory, start } from '../local/program.ts'
import { freePorts } from '../servers/process.ts'

const TOKEN = 'a-token-for-reading-0123'
const calendar = `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: clock }
spec:
  calendar:
    tick: { interval: 1s }
`

/** @returns the status, or 0 where nobody answers */
async function ask(url: string, { method = 'GET', headers = {} }: { method?: string; headers?: object } = {}) {
  const sent = request(url, { method, headers: { ...headers } })
  const answered = once(sent, 'response').then(
    ([response]) => {
      response.destroy()
      return response.statusCode as number
    },
    () => 0,
  )
  sent.on('error', () => {})
  sent.end()
  return await answered
}

/** An address of this machine that others may reach, if it has one. */
const outside = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address

async function running(t: TestContext, ...args: string[]) {
  const dir = directory(t)
  const manifest = join(dir, 'clock.yaml')
  writeFileSync(manifest, calendar)
  writeFileSync(join(dir, 'token'), `${TOKEN}\n`)
  const program = start(t, 'run', manifest, '--data', join(dir, 'data'), ...args.map((arg) => arg.replace('DIR', dir)))
  await program.says('ready')
  return { dir, program }
}

const reads = ['/v1/status', '/v1/events?from=start&follow=false', '/metrics']
const foreign = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
]

test('an address without a host is reached from this machine alone, and there all is as easy as ever', async (t) => {
  const [port] = await freePorts(1)
  const { program } = await running(t, '--listen', `:${port}`)
  const api = `http://127.0.0.1:${port}`
  for (const path of reads) assert.equal(await ask(`${api}${path}`), 200, path)
  if (outside !== undefined) assert.equal(await ask(`http://${outside}:${port}/healthz`), 0, `${outside} answers`)
  for (const headers of foreign) {
    for (const [method, path] of [
      ['GET', '/v1/events?from=start'],
      ['GET', '/'],
      ['POST', '/v1/stop'],
      ['OPTIONS', '/v1/send'],
    ])
      assert.equal(
        await ask(`${api}${path}`, { method: method!, headers }),
        403,
        `${method} ${path} ${JSON.stringify(headers)}`,
      )
  }
  assert.equal(await ask(`${api}/v1/status`, { headers: { origin: api, 'sec-fetch-site': 'same-origin' } }), 200)
  assert.doesNotMatch(program.stderr(), /other machines/)
})

test('an API that others may reach wants a token for reading, and no word of the events without one', async (t) => {
  const [port] = await freePorts(1)
  const { program } = await running(t, '--listen', `0.0.0.0:${port}`, '--read-token-file', 'DIR/token')
  for (const host of ['127.0.0.1', ...(outside === undefined ? [] : [outside])]) {
    const api = `http://${host}:${port}`
    for (const path of reads) {
      assert.equal(await ask(`${api}${path}`), 401, path)
      assert.equal(await ask(`${api}${path}`, { headers: { authorization: `Bearer ${TOKEN}x` } }), 401, path)
      assert.equal(await ask(`${api}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } }), 200, path)
    }
    assert.equal(await ask(`${api}/v1/stop`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } }), 401)
    for (const path of ['/healthz', '/startupz', '/readyz']) assert.equal(await ask(`${api}${path}`), 200, path)
  }
  assert.ok(!program.stderr().includes(TOKEN))
})

test('without a file it is the token of the run; that reading is open must be said, and is warned of', async (t) => {
  const [port, other] = await freePorts(2)
  const closed = await running(t, '--listen', `0.0.0.0:${port}`)
  assert.equal(await ask(`http://127.0.0.1:${port}/v1/status`), 401)
  assert.match(closed.program.stderr(), /other machines: reading needs the token in .*run\.json; --read-token-file/)
  const open = await running(t, '--listen', `0.0.0.0:${other}`, '--open-reading')
  assert.equal(await ask(`http://127.0.0.1:${other}/v1/status`), 200)
  assert.match(open.program.stderr(), /WARN .*everybody there may read all events/)
})

test('ports of Pods and controller refuse what another site asks for, and nothing else', async (t) => {
  const [podPort, healthPort, metricsPort] = (await freePorts(3)) as [number, number, number]
  const pod = await servePod(
    { metrics: async () => '', started: () => true, notReady: () => [], notServed: () => [] },
    { host: '127.0.0.1', port: podPort },
  )
  t.after(() => pod.close())
  const health = { notReady: () => [], registry: new Registry() }
  const controller = await serveHealth(health, { host: '127.0.0.1', healthPort, metricsPort })
  t.after(() => controller.close())
  for (const [port, path] of [
    [podPort, '/metrics'],
    [podPort, '/readyz'],
    [podPort, '/healthz'],
    [healthPort, '/healthz'],
    [healthPort, '/readyz'],
    [metricsPort, '/metrics'],
  ] as const) {
    const url = `http://127.0.0.1:${port}${path}`
    assert.equal(await ask(url), 200, url)
    assert.equal(await ask(url, { headers: { host: 'a-service.a-namespace.svc' } }), 200, url)
    assert.equal(await ask(url, { method: 'POST' }), 405, url)
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS'])
      for (const headers of foreign) assert.equal(await ask(url, { method, headers }), 403, `${method} ${url}`)
  }
})
