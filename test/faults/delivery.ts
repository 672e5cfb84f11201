/**
 * What every messaging type must keep, whatever the broker: three replicas, numbered messages at a steady rate, the serving
 * process killed three times and frozen once, then the broker restarted gracefully. After each of these everything sent so far must
 * be on the bus before the next one begins, which might heal it. What is lost and what is doubled on the bus is what the guarantee
 * allows. Each type is an adapter; each bus a test. With VEDETTE_FULL=1 ten times the messages, and the counts go into
 * docs/guarantees.md.
 */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { FULL } from '../full.ts'
import { type Broker, bodyNumber, type DeliveryAdapter, manifest, titleOf } from '../origins/broker.ts'
import { installed, without } from '../servers/cache.ts'
import { NATS_VERSION, startNats } from '../servers/nats.ts'
import { recordMeasured } from './measured.ts'
import { everyoneBack, type Line, median, nextLeader, type Rig, startRig, waitFor } from './rig.ts'

const MESSAGES = FULL ? 5_000 : 500
const PER_SECOND = FULL ? 200 : 100
/** Events of a source come again through the next replica within this, milliseconds: what full runs, which are alone on the machine, measure; beside other tests it only must go on. */
const GAP_MS = FULL ? 2_000 : 6_000
/** So long after a kill what was on its way still arrives, milliseconds. */
const ON_ITS_WAY_MS = 500
/** What a consumer took and did not finish comes again within this, milliseconds: origins wait for half a minute. */
const AGAIN_MS = 60_000

export function deliveryContract(adapter: DeliveryAdapter): void {
  const { guarantee } = adapter
  const title = titleOf(adapter)
  const nats = without('nats-server', installed(`nats-${NATS_VERSION}`, 'nats-server'))
  test(
    `${title} over the embedded bus: 3 kills, a freeze, a restart of the broker: ${guarantee}`,
    {
      skip: adapter.skip,
    },
    (t) => deliver(t, adapter, 'embedded'),
  )
  if (adapter.overJetStream !== true && !FULL) return
  test(
    `${title} over JetStream: 3 kills, a freeze, a restart of the broker: ${guarantee}`,
    {
      skip: adapter.skip || nats,
    },
    (t) => deliver(t, adapter, 'jetstream'),
  )
}

async function deliver(t: TestContext, adapter: DeliveryAdapter, bus: 'embedded' | 'jetstream'): Promise<void> {
  const broker = await adapter.start(t, `${bus}-${Date.now()}`)
  t.after(() => broker.close())
  const head = bus === 'jetstream' ? await jetstreamBus(t) : ''
  const documents = (broker.documents ?? []).map((text) => `${text.trim()}\n---\n`).join('')
  const rig = await startRig(() => `${head}${documents}${manifest(adapter.type, broker.spec, 3)}`, {
    env: broker.env ?? {},
  })
  t.after(() => rig.close(t))
  await allListen(rig, broker)

  const { numberOf = bodyNumber } = adapter
  const onBus = new Set<number>()
  const followed = rig.follow((line) => onBus.add(numberOf(line)))
  t.after(() => followed.stop())
  const sender = startSender(broker)
  /** The next fault might heal what this one broke. */
  const judge = async (fault: string) => {
    // Served again: what a dead consumer holds may come later, and the pause until the next event is measured.
    await pause(ON_ITS_WAY_MS)
    const from = sender.sent
    await waitFor(async () => [...onBus].some((n) => n >= from), AGAIN_MS, 50)
    const sent = await sender.pause()
    const missing = () => Array.from({ length: sent }, (_, n) => n).filter((n) => !onBus.has(n))
    await waitFor(async () => missing().length === 0, AGAIN_MS, 50).catch(async () => {
      const gone = missing()
      const stored = new Set((await rig.lines()).map(numberOf))
      const untold = gone.filter((n) => stored.has(n)).length
      const whose = untold === 0 ? '' : ` (${untold} of them are, and whoever follows it was not told)`
      throw new Error(`after ${fault} ${gone.length} messages are not on the bus${whose}: ${gone.slice(0, 20)}`)
    })
    sender.resume()
  }
  const kills: number[] = []
  let sent = 0
  try {
    for (const [i, share] of [0.12, 0.3, 0.48].entries()) {
      await sender.reached(share * MESSAGES)
      await allListen(rig, broker)
      kills.push(await kill(rig))
      await judge(`kill ${i + 1}`)
    }
    await sender.reached(0.65 * MESSAGES)
    await allListen(rig, broker)
    await freeze(rig)
    await judge('the freeze')
    await sender.reached(0.82 * MESSAGES)
    await allListen(rig, broker)
    // Who forgets what nobody was there to take cannot be asked to remember it over its own restart.
    const quiet = adapter.guarantee === 'hot-standby' || adapter.repeats === true
    if (quiet) await sender.pause()
    await broker.restart(rig)
    await allListen(rig, broker)
    if (quiet) sender.resume()
    sent = await sender.finish(MESSAGES)
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${rig.log()}`, { cause: error })
  } finally {
    sender.stop()
  }
  followed.stop()
  const lines = await settledLog(rig, sent, numberOf)
  assert.equal(await rig.stop(), 0)
  const { lost, doubled } = count(lines, sent, numberOf)
  const gaps = kills.map((at) => pauseAround(at, lines))
  t.diagnostic(
    `${sent} messages: ${lost.length} lost, ${doubled} doubled; kill to the next event: ${gaps.map((gap) => gap.toFixed(0)).join(', ')} ms`,
  )
  if (FULL) {
    recordMeasured([titleOf(adapter), bus, sent, lost.length, doubled, Math.round(median(gaps))])
  }
  assert.deepEqual(lost, [], `${lost.length} messages are not on the bus\n${rig.log()}`)
  const allowed = adapter.guarantee === 'at-least-once' ? (adapter.unacknowledged ?? 0) * 5 : 0
  assert.ok(doubled <= allowed, `${doubled} events too many, ${allowed} are allowed\n${rig.log()}`)
  assert.ok(median(gaps) <= (adapter.gapMs ?? GAP_MS), `kill to the next event: ${gaps.join(', ')} ms`)
}

export async function jetstreamBus(t: TestContext): Promise<string> {
  const nats = await startNats()
  t.after(() => nats.close())
  return `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstreamExotic:
    url: ${nats.urls.join(',')}
---
`
}

/** Everyone is back and, where standbys listen too, subscribed. */
async function allListen(rig: Rig, broker: Broker): Promise<void> {
  await everyoneBack(rig)
  await nextLeader(rig, 'queue', null)
  const { listeners } = broker
  if (listeners !== undefined) await waitFor(async () => (await listeners()) === 3, 30_000, 50)
  await waitFor(async () => (await rig.status()).eventSources[0]!.entries[0]!.error === null, 60_000, 50)
}

/** kill -9 of the serving process. @returns when, milliseconds since the epoch */
async function kill(rig: Rig): Promise<number> {
  const leader = await nextLeader(rig, 'queue', null)
  process.kill(leader.pid, 'SIGKILL')
  const at = Date.now()
  await nextLeader(rig, 'queue', leader)
  return at
}

async function freeze(rig: Rig): Promise<void> {
  const leader = await nextLeader(rig, 'queue', null)
  process.kill(leader.pid, 'SIGSTOP')
  try {
    await nextLeader(rig, 'queue', leader)
    await pause(1_000)
  } finally {
    process.kill(leader.pid, 'SIGCONT')
  }
}

interface Sender {
  /** How many are with the broker. */
  readonly sent: number
  /** Resolves when so many are with the broker. */
  reached(count: number): Promise<void>
  /** Resolves when nothing is on its way. @returns how many there are, all with the broker */
  pause(): Promise<number>
  resume(): void
  /** Ends after some more, when there are at least so many. @returns how many there are, all with the broker */
  finish(least: number): Promise<number>
  /** Ends now. */
  stop(): void
}

/** Sends numbered messages at a steady rate, again and again those that the broker did not take. */
function startSender(broker: Broker): Sender {
  let sent = 0
  let total = Number.POSITIVE_INFINITY
  let wanted = true
  let busy = false
  const startedMs = performance.now()
  let pausedMs = 0
  const run = async () => {
    while (sent < total) {
      if (!wanted) {
        busy = false
        const fromMs = performance.now()
        while (!wanted) await pause(5)
        pausedMs += performance.now() - fromMs
      }
      busy = true
      const due = Math.min(total, Math.floor(((performance.now() - startedMs - pausedMs) / 1000) * PER_SECOND) + 1)
      if (due > sent) {
        const texts = Array.from({ length: Math.min(due - sent, 50) }, (_, i) => JSON.stringify({ n: sent + i }))
        const taken = await broker.send(texts).then(
          () => true,
          () => false,
        )
        if (taken) sent += texts.length
        else await pause(100)
      } else await pause(5)
    }
  }
  const done = run()
  return {
    get sent() {
      return sent
    },
    reached: (count) => waitFor(async () => sent >= count, 300_000),
    async pause() {
      wanted = false
      await waitFor(async () => !busy)
      // What the broker has it also hands over.
      await pause(500)
      return sent
    },
    resume() {
      wanted = true
    },
    async finish(least) {
      total = Math.max(least, sent + PER_SECOND)
      await done
      return sent
    },
    stop() {
      total = 0
      wanted = true
    },
  }
}

/** The log when all numbers are there, or when nothing has come for a long time. */
export async function settledLog(rig: Rig, total: number, numberOf = bodyNumber): Promise<Line[]> {
  let lines = await rig.lines()
  for (let silent = 0; silent < 40 && new Set(lines.map(numberOf)).size < total; ) {
    await pause(1_000)
    const next = await rig.lines()
    silent = next.length === lines.length ? silent + 1 : 0
    lines = next
  }
  // What would be doubled may come a little later.
  await pause(1_500)
  return await rig.lines()
}

/** The longest time without an event that began with a kill, milliseconds. What was on its way at that moment still arrives. */
function pauseAround(at: number, lines: Line[]): number {
  const times = lines.map(({ time }) => Date.parse(time))
  const pauses = times.slice(1).map((time, i) => (time > at && times[i]! < at + ON_ITS_WAY_MS ? time - times[i]! : 0))
  return Math.max(0, ...pauses)
}

/** @returns numbers that are missing, and how many events there are too many */
export function count(lines: Line[], total: number, numberOf = bodyNumber): { lost: number[]; doubled: number } {
  const seen = new Set(lines.map(numberOf))
  return {
    lost: Array.from({ length: total }, (_, n) => n).filter((n) => !seen.has(n)),
    doubled: lines.length - seen.size,
  }
}
