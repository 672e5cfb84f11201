/** `ready`, `/readyz`, `/startupz`, status, doctor and metrics say what is true: A2 of the adoption report, and its kind. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { killIfThere, waitFor } from '../faults/rig.ts'
import { freePorts } from '../servers/process.ts'
import { cli, directory, manifest, type Program, start } from './program.ts'

interface Readiness {
  ready: boolean
  reasons: string[]
  notServed: { namespace: string; eventSource: string; entry: string; type: string; why: string }[]
}

/** A program that has a port, until it is told to let go of it. */
async function taken(t: { after(fn: () => unknown): void }): Promise<{ port: number; free(): Promise<void> }> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const free = () => new Promise<void>((resolve) => server.close(() => resolve()))
  t.after(free)
  return { port: (server.address() as { port: number }).port, free }
}

async function running(t: { after(fn: () => unknown): void }, yaml: string) {
  const dir = directory(t)
  const file = join(dir, 'shop.yaml')
  writeFileSync(file, yaml)
  const [api] = (await freePorts(1)) as [number]
  const data = ['--data', join(dir, 'data')]
  const run: Program = start(t, 'run', file, '--listen', `127.0.0.1:${api}`, ...data)
  const at = (path: string, accept = '*/*') =>
    fetch(`http://127.0.0.1:${api}${path}`, { headers: { accept }, signal: AbortSignal.timeout(10_000) })
  const readiness = async () => (await (await at('/readyz', 'application/json')).json()) as Readiness
  /** The value of a metric, summed over its labels. */
  const metric = async (name: string) =>
    [...(await (await at('/metrics')).text()).matchAll(new RegExp(`^${name}\\{?.*\\}? (\\S+)$`, 'gm'))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    )
  const started = () =>
    at('/startupz').then(
      ({ ok }) => ok,
      () => false,
    )
  return { run, data, file, at, readiness, metric, started }
}

test('a port that another program has: not ready and why, everywhere; free, it serves and becomes ready', {
  timeout: 120_000,
}, async (t) => {
  const other = await taken(t)
  const { run, data, at, readiness, metric, started } = await running(t, manifest(other.port, { replicas: 3 }))
  await waitFor(started, 60_000)
  await waitFor(async () => (await readiness()).notServed.some(({ why }) => /EADDRINUSE/.test(why)), 30_000)

  // The calendar beside it is served.
  await waitFor(async () => (await readiness()).notServed.length === 1, 30_000)
  const { ready, notServed } = await readiness()
  assert.equal(ready, false)
  const [{ why, ...which }] = notServed as [Readiness['notServed'][number]]
  assert.deepEqual(which, { namespace: 'default', eventSource: 'shop', entry: 'orders', type: 'webhook' })
  assert.match(
    why,
    new RegExp(`orders cannot listen on port ${other.port} of 127.0.0.1 \\(EADDRINUSE\\): .*change the port`),
  )
  const plain = await at('/readyz')
  assert.equal(plain.status, 503)
  assert.match(
    await plain.text(),
    /^not ready\n(.+\n)*not served: default\/shop\/orders \(webhook\): .*EADDRINUSE.*\n$/,
  )

  const text = (await cli('status', ...data)).stdout
  assert.match(text, /shop \/ orders +webhook +0 of 3 replicas /)
  assert.match(text, /orders cannot listen on port \d+ .*EADDRINUSE/)
  assert.match(text, /not ready: 1 of 2 entries not served/)
  const status = JSON.parse((await cli('status', '--json', ...data)).stdout)
  assert.equal(status.run.ready, false)
  const serving = status.eventSources[0].entries.map(({ name, serving }: Record<string, unknown>) => [name, serving])
  assert.deepEqual(serving, [
    ['orders', 0],
    ['tick', 1],
  ])
  const doctor = await cli('doctor', ...data)
  assert.equal(doctor.code, 1)
  assert.match(doctor.stdout, /FAIL entries +1 of 2 not served: default\/shop\/orders .*EADDRINUSE/)
  // only the calendar, in one replica
  await waitFor(async () => (await metric('argo_events_event_service_running_total')) === 1, 30_000)

  await run.says('ready\n')
  assert.match(run.stderr(), /ready, but 1 of 2 entries are not served: default\/shop\/orders .*EADDRINUSE/)
  assert.equal((await at('/readyz')).status, 503, 'the word is no longer awaited, but nothing is served by it')

  await other.free()
  await waitFor(async () => (await at('/readyz')).status === 200, 30_000)
  const send = await fetch(`http://127.0.0.1:${other.port}/orders`, { method: 'POST', body: '{}' })
  assert.equal(send.status, 200)
  await waitFor(async () => (await metric('argo_events_event_service_running_total')) === 4, 30_000)
  assert.match((await cli('status', ...data)).stdout, /shop \/ orders +webhook +3 of 3 replicas /)
  assert.equal((await cli('doctor', ...data)).code, 0)
  assert.equal(run.stdout(), 'ready\n')
})

test('ready is not said while a port is taken that becomes free in time', { timeout: 120_000 }, async (t) => {
  const other = await taken(t)
  const { run, readiness } = await running(t, manifest(other.port, { replicas: 1 }))
  await waitFor(async () => (await readiness().catch(() => null))?.notServed.length === 1, 60_000)
  assert.equal(run.stdout(), '')
  await other.free()
  await run.says('ready\n')
  assert.equal((await readiness()).ready, true)
  assert.doesNotMatch(run.stderr(), /ready, but/)
})

test('a bus that is frozen, and a host that is frozen, are no health', { timeout: 120_000 }, async (t) => {
  const [port] = (await freePorts(1)) as [number]
  const { run, data, readiness, metric } = await running(t, manifest(port, { replicas: 1 }))
  await run.says('ready\n')
  assert.equal((await readiness()).ready, true)
  const status = JSON.parse((await cli('status', '--json', ...data)).stdout)
  const host = status.eventSources[0].replicas[0].pid as number
  await waitFor(async () => (await metric('vedette_leading')) === 1, 30_000)

  process.kill(host, 'SIGSTOP')
  t.after(() => killIfThere(host, 'SIGCONT'))
  await waitFor(async () => (await readiness()).notServed.length === 2, 30_000)
  assert.match((await readiness()).notServed[0]!.why, /shop-0 has said nothing for \d+ s: .*frozen/)
  // gauges of a process that does not answer are no news
  await waitFor(async () => (await metric('vedette_leading')) === 0, 30_000)
  assert.equal(await metric('argo_events_event_service_running_total'), 0)
  process.kill(host, 'SIGCONT')
  await waitFor(async () => (await readiness()).ready, 30_000)

  const children = JSON.parse(readFileSync(join(data[1]!, 'run.json'), 'utf8')).children as { pid: number }[]
  const bus = children.map(({ pid }) => pid).find((pid) => pid !== host)!
  process.kill(bus, 'SIGSTOP')
  t.after(() => killIfThere(bus, 'SIGCONT'))
  await waitFor(
    async () => /the bus (has not answered|does not answer)/.test((await readiness()).reasons.join()),
    30_000,
  )
  await waitFor(async () => (await readiness()).ready, 60_000)
})

for (const [kind, spec] of [
  ['JetStream', (port: number) => `jetstreamExotic: { url: nats://127.0.0.1:${port} }`],
  ['Kafka', (port: number) => `kafka: { url: 127.0.0.1:${port} }`],
] as const) {
  test(`${kind} that cannot be reached: the run is ready, says what is not served, and is not ready by /readyz`, {
    timeout: 120_000,
  }, async (t) => {
    const [port, nobody] = (await freePorts(2)) as [number, number]
    const bus = `apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: { name: default }\nspec:\n  ${spec(nobody)}\n---\n`
    const { run, readiness } = await running(t, bus + manifest(port, { replicas: 2 }))
    await run.says('ready\n')
    await waitFor(
      async () =>
        /ready, but 1 of 2 entries are not served: .*\(calendar\): the bus cannot be reached: .*refused/i.test(
          run.stderr(),
        ),
      10_000,
    )
    const { ready, notServed } = await readiness()
    assert.equal(ready, false)
    assert.match(notServed[0]!.why, /^the bus cannot be reached: .*refused/i)
    const answer = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body: '{}' })
    assert.equal(answer.status, 503)
  })
}
