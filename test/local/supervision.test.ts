/** What the supervisor does when processes die, freeze or are told to go, and when files change. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { identify } from '../../src/core/processes.ts'
import { assertAcknowledgedOnce } from '../faults/checks.ts'
import { dataOf, type Rig, type Status, startRig, waitFor } from '../faults/rig.ts'
import { manifest } from './program.ts'

const alive = (pid: number) => identify(pid) !== null

async function rigOf(t: TestContext, yaml: (port: number) => string, args: string[] = []): Promise<Rig> {
  const rig = await startRig(([port]) => yaml(port!), { args })
  t.after(() => rig.close(t))
  return rig
}

/** Posts as fast as answers come, over `lanes` connections, until stopped. Every answer must be 200. */
function load(port: number, lanes: number) {
  const acknowledged: string[] = []
  const failures: string[] = []
  let stopping = false
  let sent = 0
  const lane = async () => {
    while (!stopping) {
      const key = `k${++sent}`
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/orders`, {
          method: 'POST',
          body: JSON.stringify({ key }),
          headers: { 'content-type': 'application/json' },
        })
        await answer.arrayBuffer()
        if (answer.status === 200) acknowledged.push(key)
        else failures.push(`${answer.status}`)
      } catch (error) {
        const { cause, message } = error as Error
        failures.push((cause as { code?: string })?.code ?? message)
      }
    }
  }
  const running = Array.from({ length: lanes }, lane)
  return {
    acknowledged,
    failures,
    async more(count: number) {
      const target = acknowledged.length + count
      await waitFor(async () => acknowledged.length >= target)
    },
    async stop() {
      stopping = true
      await Promise.all(running)
    },
  }
}

const shop = (status: Status) => status.eventSources.find(({ name }) => name === 'shop')!
const orders = async (rig: Rig) => (await rig.lines()).filter(({ subject }) => subject.endsWith('.orders'))

test('a killed host comes back with its replica id; the other has served meanwhile', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const before = (await rig.leader('shop'))!
  process.kill(before.pid, 'SIGKILL')
  await waitFor(async () => ((await rig.leader('shop'))?.term ?? 0) > before.term)
  await waitFor(async () => {
    const replica = shop(await rig.status()).replicas.find(({ id }) => id === before.id)
    return replica?.restarts === 1 && replica.pid !== null && replica.pid !== before.pid && replica.state === 'serving'
  })
  const { failovers } = await rig.status()
  const [failover] = failovers
  assert.deepEqual([failover!.from, failover!.reason, failovers.length], [before.id, 'crash', 1])
  // it survives the run, as the log does
  assert.equal(await rig.stop(), 0)
  await rig.restart()
  assert.deepEqual((await rig.status()).failovers[0], failover)
})

test('with one replica, connections wait for the restart instead of being refused', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port, { replicas: 1 }))
  const [port] = rig.ports as [number]
  for (let round = 0; round < 3; round++) {
    const [pid] = (await rig.hostPids()) as [number]
    process.kill(pid, 'SIGKILL')
    await waitFor(async () => !alive(pid))
    // A connection of its own: one kept alive to the killed host is lost with it.
    const headers = { connection: 'close' }
    const answer = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body: '{"key":"a"}', headers })
    assert.equal(answer.status, 200)
  }
})

test('when the supervisor is killed everything ends, and the next run starts clean', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const children = [...(await rig.hostPids()), await rig.busPid()]
  rig.supervisor.kill('SIGKILL')
  await waitFor(async () => !children.some(alive))
  await rig.restart()
  const status = await rig.status()
  assert.equal(shop(status).entries.find(({ name }) => name === 'tick')!.term! > 1, true)
})

test('a host that was frozen when its supervisor died does not outlive the next start', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const [frozen, other] = (await rig.hostPids()) as [number, number]
  const bus = await rig.busPid()
  process.kill(frozen, 'SIGSTOP')
  process.kill(bus, 'SIGSTOP')
  rig.supervisor.kill('SIGKILL')
  await waitFor(async () => !alive(other))
  assert.ok(alive(frozen))
  await rig.restart()
  assert.equal(alive(frozen), false)
  assert.equal(alive(bus), false)
  const answer = await fetch(`http://127.0.0.1:${rig.ports[0]}/orders`, { method: 'POST', body: '{"key":"a"}' })
  assert.equal(answer.status, 200)
})

test('SIGTERM drains under load: exit 0, and what was acknowledged is there once', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const sending = load(rig.ports[0]!, 8)
  await sending.more(50)
  // as a service manager does: the whole group
  process.kill(-rig.supervisor.pid!, 'SIGTERM')
  const [code] = await once(rig.supervisor, 'exit')
  await sending.stop()
  assert.equal(code, 0)
  assertAcknowledgedOnce(await orders(rig), sending.acknowledged)
  assert.deepEqual(
    sending.failures.filter((failure) => /^5(?!03)/.test(failure)),
    [],
  )
})

test('a host that gets SIGTERM hands over, ends with 0 and is replaced at once', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const before = (await rig.leader('shop'))!
  process.kill(before.pid, 'SIGTERM')
  await waitFor(async () => !alive(before.pid))
  await waitFor(async () => ((await rig.leader('shop'))?.term ?? 0) > before.term)
  assert.equal((await rig.status()).failovers[0]!.reason, 'resigned')
  await waitFor(async () =>
    shop(await rig.status()).replicas.every(({ state, pid }) => state === 'serving' && pid !== before.pid),
  )
})

test('a second signal ends at once, also when a host is frozen', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const pids = [...(await rig.hostPids()), await rig.busPid()]
  process.kill(pids[0]!, 'SIGSTOP')
  rig.supervisor.kill('SIGINT')
  await waitFor(async () => rig.log().includes('stopping'))
  rig.supervisor.kill('SIGINT')
  await once(rig.supervisor, 'exit')
  await waitFor(async () => !pids.some(alive))
})

test('a changed file is applied under load: more and fewer replicas, entries added, changed and removed', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const [port, second] = rig.ports as [number, number]
  const sending = load(port, 8)
  await sending.more(50)
  const replicas = async () => shop(await rig.status()).replicas
  const serving = async (count: number) =>
    await waitFor(async () => {
      const all = await replicas()
      return all.length === count && all.every(({ state }) => state === 'serving')
    })
  const before = (await replicas()).map(({ pid }) => pid)

  rig.write(manifest(port, { replicas: 3 }))
  await serving(3)
  await sending.more(50)
  assert.deepEqual((await replicas()).map(({ pid }) => pid).slice(0, 2), before)

  rig.write(manifest(port, { replicas: 1 }))
  await serving(1)
  await sending.more(50)

  const more = `    extra: { port: "${second}", endpoint: /extra, method: POST }\n`
  rig.write(manifest(port, { replicas: 2, more }))
  await serving(2)
  const extra = () =>
    fetch(`http://127.0.0.1:${second}/extra`, { method: 'POST', body: '{"key":"x"}' }).then(
      ({ status }) => status,
      () => 0,
    )
  await waitFor(async () => (await extra()) === 200)
  await sending.more(50)

  rig.write(manifest(port, { replicas: 2 }))
  await waitFor(async () => (await extra()) === 0)
  await sending.more(50)

  // a wrong file changes nothing but the status
  rig.write('kind: EventSource\nspec: [\n')
  await waitFor(async () => ((await rig.status()) as Status & { problems: string[] }).problems.length > 0)
  await sending.more(50)
  rig.write(manifest(port, { replicas: 2 }))
  await waitFor(async () => ((await rig.status()) as Status & { problems: string[] }).problems.length === 0)

  await sending.stop()
  assert.deepEqual(sending.failures, [])
  const lines = await rig.lines()
  assertAcknowledgedOnce(
    lines.filter(({ subject }) => subject.endsWith('.orders')),
    sending.acknowledged,
  )
  assert.equal((await replicas())[0]!.pid, before[0])
  assert.equal((await replicas())[0]!.restarts, 0)
  // the clock never stopped: one tick per second, none missing
  const ticks = lines
    .filter(({ subject }) => subject.endsWith('.tick'))
    .map((line) => Date.parse(`${dataOf(line).eventTime.slice(0, 19).replace(' ', 'T')}Z`))
  for (let i = 1; i < ticks.length; i++) assert.equal(ticks[i]! - ticks[i - 1]!, 1000)
})

test('a killed bus comes back by itself', async (t) => {
  const rig = await rigOf(t, (port) => manifest(port))
  const sending = load(rig.ports[0]!, 4)
  await sending.more(20)
  const bus = await rig.busPid()
  process.kill(bus, 'SIGKILL')
  await sending.more(50)
  await sending.stop()
  assert.notEqual(await rig.busPid(), bus)
  assert.deepEqual(
    sending.failures.filter((failure) => failure !== '503'),
    [],
  )
  assertAcknowledgedOnce(await orders(rig), sending.acknowledged)
  const metrics = await (await fetch(`${rig.api}/metrics`)).text()
  assert.match(metrics, /^vedette_bus_restarts 1$/m)
})

test('--deliver sends every event, across a kill of everything', async (t) => {
  const got = new Set<string>()
  const receiver = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      got.add(JSON.parse(body).id)
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  t.after(() => {
    receiver.close()
    receiver.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(receiver.address() as { port: number }).port}/`
  const rig = await rigOf(t, (port) => manifest(port), ['--deliver', url])
  const sending = load(rig.ports[0]!, 4)
  await sending.more(50)
  await rig.killAll()
  await sending.stop()
  await rig.restart()
  const ids = (await rig.lines()).map(({ event }) => event.id)
  await waitFor(async () => ids.every((id) => got.has(id)))
})

test('a Secret in a file is read anew; the store can be removed while nothing runs', async (t) => {
  const guarded = (token: string) => (port: number) =>
    `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: shop }
spec:
  webhook:
    orders: { port: "${port}", endpoint: /orders, method: POST, authSecret: { name: s, key: token } }
---
apiVersion: v1
kind: Secret
metadata: { name: s }
stringData: { token: ${token} }
`
  const rig = await rigOf(t, guarded('first'))
  const [port] = rig.ports as [number]
  const post = async (token: string) =>
    (
      await fetch(`http://127.0.0.1:${port}/orders`, {
        method: 'POST',
        body: '{}',
        headers: { authorization: `Bearer ${token}` },
      })
    ).status
  assert.equal(await post('first'), 200)
  assert.notEqual(await post('second'), 200)
  rig.write(guarded('second')(port))
  await waitFor(async () => (await post('second')) === 200)
  assert.notEqual(await post('first'), 200)
  for (const file of ['run.json']) assert.ok(!readFileSync(join(rig.data, file), 'utf8').includes('second'))
  assert.ok(!rig.log().includes('first') && !rig.log().includes('second'))
  assert.equal(await rig.stop(), 0)
  rmSync(rig.data, { recursive: true })
  await rig.restart()
  assert.equal(await post('second'), 200)
})
