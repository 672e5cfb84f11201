/**
 * Reads of the bus that are not answered while their entry is served, in the three ways in which entries once stood still for ever
 * although their replica served: nothing is lost or doubled, and what came meanwhile is told within seconds of the bus's return.
 */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { FULL } from '../full.ts'
import { manifest } from '../origins/broker.ts'
import { without } from '../servers/cache.ts'
import { kafkaJars, startKafkaCluster } from '../servers/kafka.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { nsqdBinary, startNsq } from '../servers/nsq.ts'
import { startProxy } from '../servers/proxy.ts'
import { count, settledLog } from './delivery.ts'
import { dataOf, everyoneBack, nextLeader, type Rig, startRig, waitFor } from './rig.ts'

/** More than fit into a position: so a snapshot is written, and the last events are read. */
const FILES = 300
const TOLD_WITHIN_MS = 60_000

test('the host that serves NSQ is killed, and the bus while the next one reads what was stored last', {
  skip: without('NSQ', nsqdBinary()),
}, async (t) => {
  const rounds = FULL ? 24 : 5
  const nsq = await startNsq()
  t.after(() => nsq.close())
  const post = async (path: string, body = '') =>
    assert.ok((await fetch(`${nsq.http}/${path}`, { method: 'POST', body })).ok)
  await post('topic/create?topic=numbers')
  await post('channel/create?topic=numbers&channel=vedette')
  const spec = `hostAddress: ${nsq.lookupd}\ntopic: numbers\nchannel: vedette\njsonBody: true`
  const rig = await startRig(() => manifest('nsq', spec, 3))
  t.after(() => rig.close(t))
  /** What the channel holds: not yet taken, or taken and not finished. */
  const waiting = async (): Promise<number> => {
    const stats = (await (await fetch(`${nsq.http}/stats?format=json&topic=numbers`)).json()) as {
      topics: { channels: { depth: number; in_flight_count: number; deferred_count: number }[] }[]
    }
    const [channel] = stats.topics[0]!.channels
    return channel!.depth + channel!.in_flight_count + channel!.deferred_count
  }
  let sent = 0
  const slowest: number[] = []
  for (let round = 0; round < rounds; round++) {
    await everyoneBack(rig)
    const leader = await nextLeader(rig, 'queue', null)
    const bus = await rig.busPid()
    process.kill(leader.pid, 'SIGKILL')
    await post('mpub?topic=numbers', Array.from({ length: 50 }, () => JSON.stringify({ n: sent++ })).join('\n'))
    await pause(60 + (80 * round) / rounds)
    process.kill(bus, 'SIGKILL')
    const fromMs = performance.now()
    await waitFor(async () => (await waiting()) === 0, TOLD_WITHIN_MS, 50).catch(async () => {
      const { error, leader: by } = (await rig.status()).eventSources[0]!.entries[0]!
      assert.fail(`round ${round}: ${await waiting()} messages wait; leader ${by}, error ${error}\n${rig.log()}`)
    })
    slowest.push(performance.now() - fromMs)
  }
  const lines = await settledLog(rig, sent)
  assert.equal(await rig.stop(), 0)
  assert.deepEqual(count(lines, sent), { lost: [], doubled: 0 })
  t.diagnostic(`${rounds} rounds; all told after at most ${Math.max(...slowest).toFixed(0)} ms`)
})

const naming = (bus: string, directory: string) => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
${bus.replace(/^/gm, '  ')}
---
${manifest('file', `eventType: CREATE\nwatchPathConfig:\n  directory: ${directory}\n  pathRegexp: .*`, 2)}`

/** So many files appear, and nothing of the bus is heard for `silentMs`, again and again. Each is told once. */
async function filesAppear(
  t: TestContext,
  bus: string,
  { rounds, silentMs, silence }: { rounds: number; silentMs: number; silence: (on: boolean) => void },
): Promise<void> {
  const directory = join(mkdtempSync(join(tmpdir(), 'vedette-watched-')), 'in')
  mkdirSync(directory)
  t.after(() => rmSync(join(directory, '..'), { recursive: true, force: true }))
  const rig: Rig = await startRig(() => naming(bus, directory))
  t.after(() => rig.close(t))
  let made = 0
  const make = (files: number) => {
    for (let i = 0; i < files; i++) writeFileSync(join(directory, `f${made++}`), '')
  }
  const told = async () => (await rig.status()).eventSources[0]!.entries[0]!.published
  await nextLeader(rig, 'queue', null, 60_000)
  // What is there at the first look is not told.
  let first = 0
  await waitFor(
    async () => {
      writeFileSync(join(directory, `first${first++}`), '')
      return (await told()) > 0
    },
    60_000,
    200,
  )
  await pause(1_000)
  const before = await told()
  for (let round = 0; round < rounds; round++) {
    make(FILES)
    silence(true)
    await pause(silentMs)
    silence(false)
    await waitFor(async () => (await told().catch(() => 0)) >= before + made, TOLD_WITHIN_MS, 200).catch(async () => {
      const { error, leader } = (await rig.status()).eventSources[0]!.entries[0]!
      assert.fail(
        `round ${round}: ${await told()} of ${before + made} are told; leader ${leader}, error ${error}\n${rig.log()}`,
      )
    })
  }
  const names = (await rig.lines()).map((line) => basename((dataOf(line) as { name: string }).name))
  assert.equal(await rig.stop(), 0)
  const numbered = names.filter((name) => !name.startsWith('first'))
  assert.equal(new Set(numbered).size, made, 'all are told')
  assert.equal(numbered.length, made, 'none is told twice')
}

test("files appear while nothing of NATS's answers arrives for 7 s", {
  skip: without('nats-server', natsBinary('newest')),
}, async (t) => {
  const nats = await startNats()
  t.after(() => nats.close())
  const proxy = await startProxy(nats.servers[0]!.port)
  t.after(() => proxy.close())
  await filesAppear(t, `jetstreamExotic:\n  url: nats://127.0.0.1:${proxy.port}`, {
    rounds: FULL ? 24 : 2,
    silentMs: 7_000,
    silence(on) {
      proxy.faults.dropToClient = on
      // What was dropped is missing in the middle of its stream: nothing after it would make sense.
      if (!on) proxy.cut()
    },
  })
})

// Takes a minute and a half a round.
if (FULL) {
  test('files appear while the only Kafka broker is frozen for 7 s', {
    skip: without('Kafka', kafkaJars()),
  }, async (t) => {
    const [node] = await startKafkaCluster(1)
    t.after(() => node!.close())
    await filesAppear(t, `kafka:\n  url: ${node!.broker}`, {
      rounds: FULL ? 24 : 1,
      silentMs: 7_000,
      silence: (on) => (on ? node!.server.freeze() : node!.server.thaw()),
    })
  })
}
