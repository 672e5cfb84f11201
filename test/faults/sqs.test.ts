/** A queue under load while replicas and the bus die: every message is on the log exactly once, and the queue is empty in the end. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { sqsRates } from '../../bench/sqs.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { elasticmqJars, startElasticmq } from '../servers/elasticmq.ts'
import { makeQueue } from '../servers/sqs-queue.ts'
import { assertAcknowledgedOnce, assertOrdered } from './checks.ts'
import { queueManifest } from './queue.ts'
import { dataOf, everyoneBack, type Rig, startRig, waitFor } from './rig.ts'

const MESSAGES = 10_000
const skip = without('ElasticMQ', elasticmqJars())

/** Runs three replicas on a queue, and `fault` three times while they work. */
async function underFaults(t: TestContext, fault: (rig: Rig, round: number) => Promise<void>): Promise<void> {
  const server = await startElasticmq()
  t.after(() => server.close())
  const queue = await makeQueue(server.url, 'orders')
  t.after(() => queue.close())
  const rig = await startRig(queueManifest({ url: server.url, queue: queue.name, replicas: 3 }))
  t.after(() => rig.close(t))
  const keys = Array.from({ length: MESSAGES }, (_, i) => `m${i}`)
  const startedMs = performance.now()
  const sent = queue.send(keys)
  const published = async () => (await rig.status()).eventSources[0]!.entries[0]!.published
  for (let round = 0; round < 3; round++) {
    await waitFor(async () => (await published()) > (MESSAGES * (round + 1)) / 5, 60_000, 20)
    await fault(rig, round)
  }
  await sent
  // What a killed replica held comes back after half a minute.
  await waitFor(async () => (await published()) >= MESSAGES, 120_000, 100)
  const tookMs = performance.now() - startedMs
  await waitFor(
    async () => {
      const { visible, held } = await queue.sizes()
      return visible + held === 0
    },
    60_000,
    100,
  )
  await everyoneBack(rig)
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertOrdered(lines)
  assertAcknowledgedOnce(lines, keys)
  assert.equal(lines.length, MESSAGES)
  t.diagnostic(`${lines.length} messages, once each, in ${(tookMs / 1000).toFixed(1)} s`)
}

test('replicas killed three times: 10,000 messages once each, queue empty', { skip }, async (t) => {
  await underFaults(t, async (rig, round) => {
    const pids = await rig.hostPids()
    process.kill(pids[round % pids.length]!, 'SIGKILL')
  })
})

// Takes more than a minute.
if (FULL) {
  test('a replica frozen for longer than its messages are hidden: nothing is doubled', { skip }, async (t) => {
    await underFaults(t, async (rig, round) => {
      if (round > 0) return
      const [pid] = await rig.hostPids()
      process.kill(pid!, 'SIGSTOP')
      const thaw = setTimeout(() => process.kill(pid!, 'SIGCONT'), 35_000)
      t.after(() => clearTimeout(thaw))
    })
  })
}

test('the bus process killed three times: nothing is lost, doubled, or counted as a failed delivery', {
  skip,
}, async (t) => {
  await underFaults(t, async (rig) => {
    process.kill(await rig.busPid(), 'SIGKILL')
    await pause(300)
  })
})

test('messages are taken at least five times as fast as one at a time', { skip }, async (t) => {
  const { single, vedette } = await sqsRates({ messages: 3_000, say: (line) => t.diagnostic(line) })
  assert.ok(vedette >= 5 * single, `${vedette.toFixed(0)} against ${single.toFixed(0)} per second`)
})

test('a queue that is not there yet is waited for; then messages get onto the bus', { skip }, async (t) => {
  const server = await startElasticmq()
  t.after(() => server.close())
  const rig = await startRig(queueManifest({ url: server.url, queue: 'later', replicas: 1 }))
  t.after(() => rig.close(t))
  const error = async () => (await rig.status()).eventSources[0]!.entries[0]!.error
  await waitFor(async () => /failed to get the queue url for orders/.test((await error()) ?? ''), 20_000, 50)
  const queue = await makeQueue(server.url, 'later')
  t.after(() => queue.close())
  // It says so until its first request for messages has been answered.
  await waitFor(async () => (await error()) === null, 90_000, 100)
  await queue.send(['a', 'b'])
  await waitFor(async () => (await rig.lines()).length === 2, 20_000, 200)
  assert.deepEqual((await rig.lines()).map((line) => dataOf(line).body.key).sort(), ['a', 'b'])
})
