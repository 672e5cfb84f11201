/**
 * A seeded model of hot standby: replicas that hear the same messages at different times, a log with a fence, leaders that die or
 * are deposed at any moment. Whatever the schedule, each message is on the log as often as it was sent.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Random, seeded } from '../../../sim/random.ts'
import { type FakeClock, fakeClock } from '../../../test/fake-clock.ts'
import { FULL } from '../../../test/full.ts'
import type { ReadOptions, Stored } from '../../bus/bus.ts'
import { fail } from '../../core/errors.ts'
import { encodeEvent, randomId } from '../../core/event.ts'
import { silentLogger } from '../../core/log.ts'
import type { Emit, Emitted } from '../../source.ts'
import { createEar, type Ear } from './ear.ts'

const SEEDS = FULL ? 400 : 30
const LEASE_MS = 1_500
const source = { namespace: 'default', name: 'es' }

interface Replica {
  ear: Ear
  ends: AbortController
  /** Subscribed since, or null. */
  sinceMs: number | null
  /** Nothing may overtake in one connection. */
  lastArrivalMs: number
  lead: AbortController | null
}

interface World {
  clock: FakeClock
  random: Random
  /** `theirs`: of Argo Events' Pods, under an id that says nothing. */
  log: { id: string; text: string; theirs?: boolean }[]
  term: number
}

/** A log whose readers and writers are late by chance. */
function busOf(world: World) {
  const { clock, random, log } = world
  const stored = (i: number): Stored => ({
    seq: i + 1,
    timeMs: 0,
    subject: 'default.es.e',
    id: log[i]!.id,
    ...(log[i]!.theirs ? { namespace: '' } : { namespace: 'default', sourceId: `ff/${log[i]!.id}` }),
    event: encodeEvent(
      { id: log[i]!.id, source: 'es', type: 'mqtt', subject: 'e', timeMs: 0 },
      Buffer.from(log[i]!.text),
    ),
  })
  return {
    state: async () => ({ firstSeq: 1, lastSeq: log.length, messages: log.length, bytes: 0, entries: [] }),
    async *read({ from = 1, follow = false, signal }: ReadOptions = {}) {
      for (let i = from - 1; ; i++) {
        while (i >= log.length) {
          if (!follow) return
          await clock.sleep(random.between(1, 20), signal)
        }
        await clock.sleep(follow ? random.between(0, 30) : random.between(0, 2), signal)
        yield stored(i)
      }
    },
  }
}

/** The way onto the log for one term: in order, each write and each answer late by chance. */
function publisher(world: World, replica: Replica, signal: AbortSignal) {
  const { clock, random, log } = world
  const term = ++world.term
  let last: Promise<unknown> = Promise.resolve()
  let answered: Promise<unknown> = Promise.resolve()
  const write = async ({ id, data }: Emit): Promise<number> => {
    await clock.sleep(random.between(0, 4))
    if (term !== world.term || signal.aborted) throw fail('FENCED', `term ${world.term} rules`)
    log.push({ id: id!, text: Buffer.from(data as Uint8Array).toString() })
    return log.length
  }
  return async (event: Emit): Promise<Emitted> => {
    const mine = last.then(() => write(event))
    last = mine.catch(() => {})
    const seq = await mine
    // Answers come in order too.
    answered = answered.then(() => clock.sleep(random.between(0, 5)))
    await answered
    if (signal.aborted) throw fail('OUTCOME_UNKNOWN', 'no answer')
    replica.ear.wrote(seq)
    return { id: event.id!, outcome: 'stored' }
  }
}

/** Payloads that are on the log more or less often than they were sent. */
function differences(sent: string[], log: string[]): Record<string, { sent: number; log: number }> {
  const times = (texts: string[]) => Map.groupBy(texts, (text) => text)
  const [was, is] = [times(sent), times(log)]
  const counts = [...new Set([...sent, ...log])].map(
    (text) => [text, { sent: was.get(text)?.length ?? 0, log: is.get(text)?.length ?? 0 }] as const,
  )
  return Object.fromEntries(counts.filter(([, count]) => count.sent !== count.log))
}

/** @param textOf the payload of message n @param everyMs up to this between messages @returns what went wrong */
async function run(seed: number, textOf: (n: number, random: Random) => string, everyMs: number) {
  const random = seeded(seed)
  const world: World = { clock: fakeClock(), random, log: [], term: 0 }
  const { clock } = world
  const bus = busOf(world)
  const replicas: Replica[] = []

  const start = (): Replica => {
    const ends = new AbortController()
    const ear = createEar({
      bus,
      source,
      entry: 'e',
      fingerprint: 'ff',
      clock,
      log: silentLogger,
      leaseMs: LEASE_MS,
      onOverflow: () => assert.fail(),
    })
    const replica: Replica = { ear, ends, sinceMs: null, lastArrivalMs: 0, lead: null }
    void ear.attend(async (signal) => {
      await clock.sleep(random.between(0, 50), signal).catch(() => {})
      replica.sinceMs = clock.monotonic()
      ear.subscribed()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }, ends.signal)
    return replica
  }
  for (let i = 0; i < 3; i++) replicas.push(start())
  await clock.advance(1_500)

  const leader = () => replicas.find(({ lead }) => lead !== null)
  const elect = () => {
    const able = replicas.filter(({ ear, sinceMs, lead }) => sinceMs !== null && !ear.fresh && lead === null)
    const next = random.pick(able)
    const lead = new AbortController()
    next.lead = lead
    const emit = publisher(world, next, AbortSignal.any([lead.signal, next.ends.signal]))
    next.ear.lead(emit, lead.signal).catch(() => {})
  }
  elect()

  const sent: string[] = []
  const send = () => {
    const text = textOf(sent.length, random)
    sent.push(text)
    for (const replica of replicas) {
      if (replica.sinceMs === null) continue
      const at = Math.max(replica.lastArrivalMs, clock.monotonic() + random.between(0, 40))
      replica.lastArrivalMs = at
      clock.after(at - clock.monotonic(), () => {
        if (!replica.ends.signal.aborted) void replica.ear.hear({ data: text })
      })
    }
  }
  for (let round = 0; round < 6; round++) {
    for (let i = random.int(5, 30); i > 0; i--) {
      send()
      await clock.advance(random.between(everyMs / 4, everyMs))
    }
    const old = leader()!
    old.lead?.abort()
    old.lead = null
    if (random.chance(0.7)) {
      // kill -9; a new process comes in its place
      old.ends.abort()
      replicas[replicas.indexOf(old)] = start()
    }
    for (let i = random.int(0, 5); i > 0; i--) {
      send()
      await clock.advance(random.between(everyMs / 4, 2 * everyMs))
    }
    elect()
    // The next fault comes when there is a standby that has listened for long enough.
    for (let i = random.int(0, 40); i > 0; i--) {
      send()
      await clock.advance(random.between(everyMs / 4, 2 * everyMs))
    }
    await clock.advance(1_200)
  }
  await clock.advance(2_000)
  for (const { ends, lead } of replicas) {
    lead?.abort()
    ends.abort()
  }
  await clock.advance(100)
  return differences(
    sent,
    world.log.map(({ text }) => text),
  )
}

test(`distinct messages: each is on the log once, over ${SEEDS} schedules`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const wrong = await run(seed, (n) => `{"n":${n}}`, 25)
    assert.deepEqual(wrong, {}, `seed ${seed}`)
  }
})

test(`equal messages: mostly as often as sent, never off by more than one, over ${SEEDS} schedules`, async () => {
  let off = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const wrong = Object.values(await run(seed, (_, random) => `{"on":${random.chance(0.5)}}`, 400))
    if (wrong.length > 0) off++
    for (const { sent, log } of wrong)
      assert.ok(Math.abs(sent - log) <= 1, `seed ${seed}: ${sent} sent, ${log} on the log`)
  }
  // Six failovers each, with ears as late as the log: what was under way when a replica subscribed is told apart by time only.
  assert.ok(off <= SEEDS / 5, `${off} of ${SEEDS} schedules`)
})

test('who subscribed while the leader stood still with messages sent before leaves the lead to who has heard those', async () => {
  const world: World = { clock: fakeClock(), random: seeded(1), log: [], term: 0 }
  const { clock } = world
  const ends = new AbortController()
  const listener = async () => {
    const ear = createEar({
      ...{ bus: busOf(world), source, entry: 'e', fingerprint: 'ff', clock, log: silentLogger, leaseMs: LEASE_MS },
      onOverflow: () => assert.fail(),
    })
    void ear.attend(async (signal) => {
      ear.subscribed()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }, ends.signal)
    await clock.advance(0)
    return ear
  }
  const old = await listener()
  await clock.advance(5_000)
  await old.hear({ data: '{"n":0}' })
  const late = await listener()
  for (let n = 1; n < 20; n++) {
    await old.hear({ data: `{"n":${n}}` })
    await late.hear({ data: `{"n":${n}}` })
    await clock.advance(100)
  }
  assert.deepEqual([old.fresh, late.fresh], [false, true], 'a lease has run out')
  const quiet = await listener()
  await clock.advance(1_000)
  assert.equal(quiet.fresh, false, 'who hears nothing waits for nothing')
  await clock.advance(LEASE_MS)
  assert.equal(late.fresh, false, 'nobody has heard more, or somebody would lead by now')
  // What is heard gets onto the log: so has what was sent before.
  const next = await listener()
  await next.hear({ data: '"on"' })
  await next.hear({ data: '"off"' })
  world.log.push({ id: `heard:${'0'.repeat(32)}:1`, text: '"on"', theirs: true })
  await clock.advance(1_000)
  assert.equal(next.fresh, false)
  ends.abort()
  await clock.advance(100)
})

for (const named of [false, true]) {
  test(`after Argo Events' Pods: what they did not publish is published, and nothing again (messages with an id: ${named})`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seeded(seed)
      const world: World = { clock: fakeClock(), random, log: [], term: 0 }
      const { clock } = world
      const ends = new AbortController()
      const ear = createEar({
        ...{ bus: busOf(world), source, entry: 'e', fingerprint: 'ff', clock, log: silentLogger },
        leaseMs: LEASE_MS,
        onOverflow: () => assert.fail(),
      })
      void ear.attend(async (signal) => {
        ear.subscribed()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      }, ends.signal)
      await clock.advance(1_500)
      const sent: string[] = []
      const lastOfTheirs = random.int(5, 25)
      for (let n = 0; n < 30; n++) {
        const text = `{"n":${n}}`
        sent.push(text)
        clock.after(random.between(0, 40), () => void ear.hear({ data: text, ...(named ? { id: `${n}` } : {}) }))
        if (n <= lastOfTheirs)
          clock.after(random.between(0, 60), () => world.log.push({ id: randomId(), text, theirs: true }))
        await clock.advance(25)
      }
      await clock.advance(200)
      const emit = async ({ id, data }: Emit): Promise<Emitted> => {
        world.log.push({ id: id!, text: Buffer.from(data as Uint8Array).toString() })
        ear.wrote(world.log.length)
        return { id: id!, outcome: 'stored' }
      }
      void ear.lead(emit, ends.signal)
      await clock.advance(500)
      ends.abort()
      await clock.advance(100)
      const texts = world.log.map(({ text }) => text)
      assert.deepEqual(differences(sent, texts), {}, `seed ${seed}`)
    }
  })
}
