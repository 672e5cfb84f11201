/**
 * Beside Argo Events' own Pods on one NATS, as in a migration: a sender of its leader's heartbeats (graft, every 100 ms) stands for
 * them. Nobody of ours serves while it beats.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { type DecodedEvent, encodeEvent, eventData, randomId } from '../../src/core/event.ts'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { ticking } from '../faults/ticks.ts'
import { FULL } from '../full.ts'
import { cli, directory, start } from '../local/program.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { argoCalendar, rowOf } from './argo.ts'
import { allReady, anyLeader, leaderOf, linesOf, objectOf, startPod, startPods } from './pods.ts'

const skip = without('nats-server', natsBinary('newest'))

const CLUSTER = 'graft.default-eventsource-clock'
/** Observed: term 7, leader 0102030405060708090a0b0c0d. */
const HEARTBEAT = Buffer.from('0807121a3031303230333034303530363037303830393061306230633064', 'hex')

/** A leader of Argo Events, as the others hear it. */
async function argoLeader(t: TestContext, url: string) {
  const nc = await connect({ servers: url })
  let timer: NodeJS.Timeout | undefined
  t.after(async () => {
    clearInterval(timer)
    await nc.close()
  })
  return {
    begin() {
      const beat = () => nc.publish(`${CLUSTER}.heartbeat`, HEARTBEAT)
      beat()
      timer = setInterval(beat, 100)
    },
    end: () => clearInterval(timer),
    /** An event as its worker publishes it. */
    async publishes(entry: string, type: string, data: Uint8Array) {
      const id = randomId()
      const event = encodeEvent({ id, source: 'clock', type, subject: entry, timeMs: Date.now() }, data)
      await jetstream(nc).publish(`default.clock.${entry}`, event, { msgID: id })
    },
    asksForVotes: () => nc.publish(`${CLUSTER}.vote_request`, HEARTBEAT),
  }
}

const clock = () => objectOf('clock', { replicas: 2, calendar: { tick: { schedule: '', interval: '100ms' } } })

test("nobody serves while Argo Events' leader beats, one does soon after it stops, and gives way when it begins again", {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const argo = await argoLeader(t, fixture.urls[0]!)
  argo.begin()
  const options = { object: clock, bus: { jetstream: { url: fixture.urls[0]! } } }
  const pods = await startPods(t, ['clock-a', 'clock-b'], options)
  const ticks = async () => (await linesOf(bus, 'clock', 'tick')).length
  const leaseOnly = async () => /^vedette_fencing_lease_only\{.*\} 1$/m.test((await pods[0]!.get('/metrics')).text)
  await allReady(pods)
  await pause(3_000)
  assert.equal(await leaderOf(pods), undefined)
  assert.equal(await ticks(), 0, 'nothing is published while it beats')
  assert.equal(await leaseOnly(), true)

  argo.end()
  const endedMs = performance.now()
  await until('an event is published', async () => (await ticks()) > 0)
  const takenMs = performance.now() - endedMs
  assert.ok(takenMs > 850 && takenMs < 5_000, `${takenMs} ms after the last heartbeat`)
  assert.equal(await leaseOnly(), true, 'one that was paused may still write')
  const leader = (await leaderOf(pods))!

  argo.begin()
  const beganMs = performance.now()
  await until('it gives way', async () => !(await leader.leads()))
  const gaveMs = performance.now() - beganMs
  assert.ok(gaveMs < 1_000, `${gaveMs} ms after the first heartbeat`)
  await pause(200)
  const before = await ticks()
  await pause(2_000)
  assert.equal(await ticks(), before, 'nothing is published while it beats again')
  assert.equal(await leaderOf(pods), undefined)
  argo.end()
  await until('somebody serves again', async () => (await ticks()) > before)
  t.diagnostic(
    `last heartbeat to first event ${takenMs.toFixed(0)} ms; first heartbeat to giving way ${gaveMs.toFixed(0)} ms`,
  )
  const said = pods.flatMap((pod) => pod.log().map(({ msg }) => String(msg))).filter((msg) => /Argo Events/.test(msg))
  assert.equal(said.length, 8, said.join('\n'))
})

const times = FULL ? 6 : 1

test(`there and back over NATS, ${times} times, leaders killed: nothing doubled, nothing lost where ours follows`, {
  skip,
  timeout: 60_000 * times,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const argo = await argoLeader(t, fixture.urls[0]!)
  let leads = false
  /** Once it is elected it beats; its worker connects to the bus before it ticks for the first time. */
  const argoBegins = async () => {
    await pause(1_300 - (Date.now() % 1_000))
    argo.begin()
    leads = true
  }
  const argoEnds = () => {
    argo.end()
    leads = false
  }
  await argoCalendar(t, fixture.urls[0]!, () => leads)
  await argoBegins()
  const all = await startPods(t, ['clock-a', 'clock-b'], {
    object: () => objectOf('clock', { replicas: 2, calendar: { tick: { scheduleWithSeconds: '* * * * * *' } } }),
    bus: { jetstream: { url: fixture.urls[0]! } },
  })
  await allReady(all)
  await pause(2_500)
  for (let i = 0; i < times; i++) {
    argoEnds()
    const leading = await anyLeader(all, 20_000)
    await pause(1_500)
    leading.child.kill('SIGKILL')
    await leading.exited()
    const next = await anyLeader(
      all.filter((pod) => pod !== leading),
      20_000,
    )
    leading.restart()
    await allReady(all)
    await argoBegins()
    await until('ours gives way', async () => !(await next.leads()))
    await pause(2_500)
  }
  argoEnds()
  await anyLeader(all, 20_000)
  await pause(1_500)
  const { ticks, exchanges, doubled, lost } = await rowOf(bus)
  t.diagnostic(`${ticks} ticks, ${exchanges} exchanges; lost where theirs follow ours: ${lost.theirs.length}`)
  assert.equal(exchanges, 2 * times + 1)
  assert.deepEqual({ doubled, lost: lost.ours }, { doubled: [], lost: [] })
  assert.ok(lost.theirs.length <= 2 * times, `${lost.theirs}`)
})

test('a file entry: what happens while nobody serves is told, what theirs told is not told again', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const argo = await argoLeader(t, fixture.urls[0]!)
  argo.begin()
  const dir = directory(t)
  writeFileSync(join(dir, 'old'), '')
  const watchPathConfig = { directory: dir, pathRegexp: '.*' }
  const pod = await startPod(t, {
    object: () => objectOf('clock', { replicas: 1, file: { drop: { eventType: 'CREATE', watchPathConfig } } }),
    bus: { jetstream: { url: fixture.urls[0]! } },
    name: 'clock-a',
  })
  await until('it is ready', () => pod.ready(), 20_000)
  // It looks within a second of hearing theirs.
  await pause(2_500)
  writeFileSync(join(dir, 'theirs'), '')
  await pause(50)
  const data = Buffer.from(JSON.stringify({ name: join(dir, 'theirs'), op: 1, metadata: null }))
  await argo.publishes('drop', 'file', data)
  argo.end()
  writeFileSync(join(dir, 'nobody'), '')
  await until('it leads', () => pod.leads(), 20_000)
  writeFileSync(join(dir, 'ours'), '')
  const names = async () =>
    (await linesOf(bus, 'clock', 'drop')).map(({ event }) => JSON.parse(String(eventData(event as DecodedEvent))).name)
  await until('the last one is told', async () => (await names()).includes(join(dir, 'ours')), 20_000)
  assert.deepEqual(
    await names(),
    ['theirs', 'nobody', 'ours'].map((name) => join(dir, name)),
  )
})

test('an outage of NATS while it serves: nobody is faster than its client, which waits two seconds to connect again', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const argo = await argoLeader(t, fixture.urls[0]!)
  argo.begin()
  const pod = await startPod(t, { object: clock, bus: { jetstream: { url: fixture.urls[0]! } }, name: 'clock-a' })
  await until('it is ready', () => pod.ready(), 20_000)
  const standsBy = () => pod.says("Argo Events' own Pods serve default/clock on this bus: Vedette's stand by")
  await until('it has heard', standsBy)
  await fixture.servers[0]!.kill()
  await until('the break is seen', async () => !(await pod.ready()))
  await pause(1_200)
  await fixture.servers[0]!.restart()
  await until('it is ready', () => pod.ready(), 20_000)
  await pause(4_000)
  assert.equal(await pod.leads(), false)
  assert.equal((await linesOf(bus, 'clock', 'tick')).length, 0)
  argo.end()
  await until('it serves', async () => (await linesOf(bus, 'clock', 'tick')).length > 0)
})

test('a run on one machine stands by as well, and status says why', { skip, timeout: 60_000 }, async (t) => {
  const fixture = await jetStreamFor(t)
  const argo = await argoLeader(t, fixture.urls[0]!)
  argo.begin()
  const dir = directory(t)
  writeFileSync(
    join(dir, 'run.yaml'),
    `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec: { jetstreamExotic: { url: "${fixture.urls[0]}" } }
---
${ticking(2)()}`,
  )
  const data = join(dir, 'data')
  const run = start(t, 'run', join(dir, 'run.yaml'), '--data', data, '--listen', '127.0.0.1:0')
  await run.says('ready\n')
  const status = async () => JSON.parse((await cli('status', '--json', '--data', data)).stdout)
  const beside = await status()
  const [{ leader, error, errorSince }] = beside.eventSources[0].entries
  assert.equal(leader, null)
  assert.match(error, /Argo Events' own Pods serve/)
  assert.ok(Date.now() - Date.parse(errorSince) < 30_000)
  assert.equal(beside.bus.fencing, 'lease-only')
  assert.match(beside.bus.reason, /Argo Events' own Pods serve default\/clock/)
  assert.match((await cli('status', '--data', data)).stdout, /lease-only.*Argo Events' own Pods serve default\/clock/)
  argo.end()
  await until('somebody leads', async () => (await status()).eventSources[0].entries[0].leader !== null)
})

test('a candidate of Argo Events that asks for votes keeps nobody from serving, but is said', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const argo = await argoLeader(t, fixture.urls[0]!)
  const options = { object: clock, bus: { jetstream: { url: fixture.urls[0]! } }, name: 'clock-a' }
  const pod = await startPod(t, options)
  await until('it leads', () => pod.leads(), 20_000)
  const leaseOnly = async () => /^vedette_fencing_lease_only\{.*\} 1$/m.test((await pod.get('/metrics')).text)
  assert.equal(await leaseOnly(), false)
  argo.asksForVotes()
  await until('it is said', leaseOnly)
  // A line of the log may be a moment later than the metric.
  const line = () => pod.log().find(({ fencing }) => fencing === 'lease-only')
  await until('it is said in the log', () => line() !== undefined)
  const said = line()
  assert.match(String(said?.msg), /Argo Events' own Pods of default\/clock were on this bus/)
  assert.equal(await pod.leads(), true)
})

test('an account that may not listen for them: said once, and served', { skip, timeout: 60_000 }, async (t) => {
  const permissions = 'permissions: { subscribe: { deny: "graft.>" } }'
  const fixture = await jetStreamFor(t, {
    config: `authorization { users: [{ user: u, password: p, ${permissions} }] }`,
  })
  const pod = await startPod(t, {
    object: clock,
    bus: { jetstream: { url: fixture.urls[0]!, accessSecret: { name: 'a', key: 'k' } } },
    name: 'clock-a',
    files: { 'etc/eventbus/auth/auth.yaml': 'username: u\npassword: p\n' },
  })
  await until('it leads', () => pod.leads(), 20_000)
  const said = pod.log().filter(({ msg }) => /cannot listen for Argo Events/.test(String(msg)))
  assert.equal(said.length, 1)
})
