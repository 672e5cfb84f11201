/**
 * Many EventSources, entries and ports in one run: `ready` comes when all are served, soon, and a stall of the bus is told in a few lines.
 * Every run does it small; `VEDETTE_FULL=1` at the size of a big site, with its figures.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { killIfThere, type Rig, startRig, waitFor } from '../faults/rig.ts'
import { freePorts } from '../servers/process.ts'

const FULL = process.env.VEDETTE_FULL !== undefined
const SOURCES = FULL ? 200 : 60
const ENTRIES = FULL ? 500 : 120
const PORTS = FULL ? 2_000 : 150
const WITHIN = { readyWithinMs: 180_000 }

const object = (name: string, replicas: number, spec: string) => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
${spec}`
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const manySources = () =>
  range(SOURCES)
    .map((i) => object(`s${i}`, 3, '  calendar:\n    tick: { interval: 2s }\n'))
    .join('---')
const manyEntries = () =>
  object(
    'big',
    3,
    `  calendar:\n${range(ENTRIES)
      .map((i) => `    t${i}: { interval: 2s }\n`)
      .join('')}`,
  )
const manyPorts = (ports: number[]) =>
  object(
    'hooks',
    1,
    `  webhook:\n${ports.map((port, i) => `    h${i}: { port: "${port}", endpoint: /x, method: POST }\n`).join('')}`,
  )

/** What all processes of the run have used, seconds of CPU. */
async function cpuSeconds(rig: Rig): Promise<number> {
  const pids = [rig.supervisor.pid!, await rig.busPid(), ...(await rig.hostPids())]
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
    return sum + (Number(user) + Number(system)) / 100
  }, 0)
}

async function started(t: TestContext, what: string, yaml: () => string): Promise<Rig> {
  const rig = await startRig(yaml, WITHIN)
  t.after(() => rig.close(t))
  // no entry is served later than it was said
  const readyz = await fetch(`${rig.api}/readyz`)
  assert.deepEqual([readyz.status, await readyz.text()], [200, 'ready\n'])
  if (process.platform === 'linux')
    t.diagnostic(
      `${what}: all served after ${Math.round(rig.readyMs)} ms, ${(await cpuSeconds(rig)).toFixed(1)} s of CPU`,
    )
  return rig
}

async function everyEntryTicks(rig: Rig, count: number): Promise<void> {
  await waitFor(
    async () => {
      const entries = (await rig.status()).eventSources.flatMap((source) => source.entries)
      assert.equal(entries.length, count)
      return entries.every(({ published }) => published > 0)
    },
    120_000,
    500,
  )
}

test(`${SOURCES} EventSources of three replicas: ready when all are served; a stall of the bus is a few lines`, {
  timeout: 400_000,
}, async (t) => {
  const rig = await started(t, `${SOURCES} EventSources of three replicas`, manySources)
  await everyEntryTicks(rig, SOURCES)

  const before = rig.log().length
  const bus = await rig.busPid()
  process.kill(bus, 'SIGSTOP')
  t.after(() => killIfThere(bus, 'SIGCONT'))
  // long enough for each lock to miss its deadline, and not for the bus to be taken for dead
  await pause(3_000)
  process.kill(bus, 'SIGCONT')
  await waitFor(async () => (await fetch(`${rig.api}/readyz`)).status === 200, 120_000, 200)
  const counted = (text: string) =>
    [
      ...rig
        .log()
        .slice(before)
        .matchAll(new RegExp(`${text} .*?\\bcount=(\\d+)`, 'g')),
    ].reduce((sum, [, n]) => sum + Number(n), 0)
  await waitFor(async () => counted('the lock answers again') >= SOURCES * 2, 60_000, 200)
  const lines = rig.log().slice(before).split('\n')
  t.diagnostic(`a stall of 3 s: ${lines.length} lines`)
  assert.ok(counted('the lock cannot be used') >= SOURCES * 2, 'each is counted')
  assert.ok(lines.length <= 80, `${lines.length} lines:\n${lines.slice(0, 100).join('\n')}`)
})

test(`${ENTRIES} entries of one EventSource: ready when all are served`, { timeout: 400_000 }, async (t) => {
  const rig = await started(t, `${ENTRIES} entries of one EventSource`, manyEntries)
  await everyEntryTicks(rig, ENTRIES)
})

test(`${PORTS} ports: ready when all accept`, { timeout: 400_000 }, async (t) => {
  const ports = await freePorts(PORTS)
  const rig = await started(t, `${PORTS} ports`, () => manyPorts(ports))
  const refused = await Promise.all(ports.map(async (port) => ((await accepts(port)) ? [] : [port])))
  assert.deepEqual(refused.flat(), [])
  assert.ok(rig.log().split('\n').length < 40, 'what is said of each of many is said briefly')
})

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    request({ port, host: '127.0.0.1', path: '/health', agent: false }, (answer) =>
      resolve(answer.resume().statusCode === 200),
    )
      .on('error', () => resolve(false))
      .end()
  })
