/** One entry on its own: whatever fails on its way, it is served again by itself, and says so. */

import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { z } from 'zod'
import { type FakeClock, fakeClock } from '../../test/fake-clock.ts'
import type { Advance, Append, Bus, Outcome } from '../bus/bus.ts'
import { fail, type VedetteError } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import { createRedactor } from '../core/redact.ts'
import { defineSource, type ServeContext, type ServeDefinition, type SourceDefinition } from '../source.ts'
import { createEntry, type EntryRunner } from './entry.ts'
import { createListeners } from './http/listeners.ts'
import { createMetrics } from './metrics.ts'
import type { Sink } from './pipeline.ts'
import { localSecrets } from './secrets.ts'

type Serve = (ctx: ServeContext<any, number>) => Promise<void>

const definitionOf = (serve: Serve, more: Pick<ServeDefinition<any, number>, 'recall'> = {}) =>
  defineSource<any, number>({
    ...{
      type: 'test',
      title: 'Test',
      summary: 'tests',
      because: 'it tests',
      ids: 'its number',
      examples: [],
    },
    ...{ strategy: 'active-passive', guarantee: 'exactly-once', filterable: true, spec: z.any(), event: z.any() },
    serve,
    ...more,
  })

/** Reads the bus the way sources with a memory do, then counts: 1, 2, 3… */
const counting: Serve = async (ctx) => {
  await ctx.snapshot.load()
  await ctx.snapshot.save(Buffer.from('x'))
  ctx.reading()
  ctx.condition(null)
  for (let n = (ctx.resume() ?? 0) + 1; !ctx.signal.aborted; n++) {
    await ctx.emit({ data: `${n}`, id: `${n}`, position: n })
    await ctx.clock.sleep(1_000, ctx.signal).catch(() => {})
  }
}

interface World {
  clock: FakeClock
  runner: EntryRunner
  /** Positions, in the order in which they were stored. */
  stored: number[]
  /** What the bus does next. */
  bus: { tail: Bus['tail']; load: () => Promise<Uint8Array | null>; save: (bytes: Uint8Array) => Promise<void> }
  append: (member: Append | Advance) => Promise<Outcome>
  busy: boolean
  metric(name: string): Promise<number>
}

function setUp(t: TestContext, definition: SourceDefinition<any, number>, bus: Partial<World['bus']> = {}): World {
  const clock = fakeClock()
  const metrics = createMetrics()
  const listeners = createListeners({ bind: '127.0.0.1', clock, log: silentLogger })
  const ends = new AbortController()
  const positionOf = ({ position }: Append | Advance) => (position as { p: number }).p
  const world: World = {
    clock,
    stored: [],
    bus: { tail: async () => [], load: async () => null, save: async () => {}, ...bus },
    async append(member) {
      world.stored.push(positionOf(member))
      return { outcome: 'stored', seq: world.stored.length }
    },
    busy: false,
    async metric(name) {
      const found = (await metrics.registry.getMetricsAsJSON()).find((one) => one.name === name)
      return Number(found?.values[0]?.value ?? Number.NaN)
    },
    runner: createEntry({
      ...{ namespace: 'default', eventSource: 'es', definition, clock, listeners, log: silentLogger, replica: 'es-0' },
      leaseMs: 1_500,
      entry: { type: 'test', name: 'e', spec: {}, place: { file: 'test.yaml', line: 1, column: 1 } },
      bus: { tail: (...all: Parameters<Bus['tail']>) => world.bus.tail(...all) } as Bus,
      redactor: createRedactor(),
      secrets: localSecrets({ secrets: [], configMaps: [] }),
      metrics: metrics.entry('default', 'es', 'e'),
      maxEventBytes: () => 1_000,
      onChange: () => {},
    }),
  }
  const sink: Sink = {
    append: (member) => world.append(member),
    ready: async () => {},
    busy: () => world.busy,
    snapshot: () => ({ load: () => world.bus.load(), save: (bytes) => world.bus.save(bytes) }),
  }
  const served = world.runner.serve(sink, null, ends.signal)
  t.after(async () => {
    ends.abort()
    await clock.advance(60_000)
    await served
  })
  return world
}

const unbroken = (stored: number[]) =>
  assert.deepEqual(
    stored,
    stored.map((_, i) => i + 1),
  )

/** An error that a bus may give at any moment, in each of the codes that once made an entry wait for somebody else. */
const errors: VedetteError[] = [
  fail('OUTCOME_UNKNOWN', 'the bus did not answer within 5000 ms'),
  fail('BUS_UNAVAILABLE', 'the bus cannot be reached'),
  fail('FENCED', 'term 3 rules'),
  fail('NOT_LEADING', 'publishing has ended'),
]

for (const error of errors) {
  for (const call of ['tail', 'load', 'save'] as const) {
    test(`${call} fails with ${error.code} and the lead does not end: the entry says so and is served again`, async (t) => {
      const world = setUp(t, definitionOf(counting, { recall: 10 }), { [call]: () => Promise.reject(error) })
      await world.clock.advance(3_000)
      assert.deepEqual(world.stored, [])
      const { error: shown, activity } = world.runner.report()
      assert.match(shown ?? '', new RegExp(error.message))
      assert.equal(activity, 'backing off')
      if (call === 'tail') world.bus.tail = async () => []
      else if (call === 'load') world.bus.load = async () => null
      else world.bus.save = async () => {}
      await world.clock.advance(60_000)
      assert.ok(world.stored.length > 10)
      unbroken(world.stored)
      assert.equal(world.runner.report().error, null)
    })
  }
}

test('an emit that fails with OUTCOME_UNKNOWN while the lead goes on: the same event is handed over again', async (t) => {
  const world = setUp(t, definitionOf(counting))
  await world.clock.advance(5_500)
  const { append } = world
  world.append = async () => ({ outcome: 'unknown', error: errors[0]! })
  await world.clock.advance(3_000)
  world.append = append
  await world.clock.advance(30_000)
  assert.ok(world.stored.length > 10)
  unbroken(world.stored)
})

test('the last events that are never told are given up after seconds, and asked for again', async (t) => {
  let asked = 0
  const world = setUp(t, definitionOf(counting, { recall: 10 }), {
    tail: () => (asked++ === 0 ? new Promise(() => {}) : Promise.resolve([])),
  })
  await world.clock.advance(29_000)
  assert.deepEqual(world.stored, [])
  await world.clock.advance(10_000)
  assert.ok(world.stored.length > 3)
  assert.equal(asked, 2)
})

test('an entry that fails again and again is tried ever more rarely', async (t) => {
  let tries = 0
  const { clock } = setUp(
    t,
    definitionOf(async () => {
      tries++
      throw fail('ORIGIN_UNAVAILABLE', 'nobody is there')
    }),
  )
  const within = async (ms: number) => {
    const before = tries
    await clock.advance(ms)
    return tries - before
  }
  // From 50 to 100 ms, each pause up to twice the one before it, up to 30 s.
  const first = await within(1_000)
  assert.ok(first >= 3 && first <= 7, `${first} tries in the first second`)
  await within(119_000)
  const later = await within(120_000)
  assert.ok(later >= 3 && later <= 8, `${later} tries in the third and fourth minute`)
})

suite('an entry that stands still', () => {
  /** The first attempt does what `first` does, all others count. */
  const onceThen = (first: Serve): { serve: Serve; attempts: () => number } => {
    let attempts = 0
    return { serve: (ctx) => (attempts++ === 0 ? first(ctx) : counting(ctx)), attempts: () => attempts }
  }
  const never = () => new Promise<never>(() => {})

  const ways: Record<string, Serve> = {
    'before it reads': never,
    'in the loop that should read': async (ctx) => {
      ctx.reading(26_000)
      await never()
    },
  }
  for (const [way, first] of Object.entries(ways)) {
    test(`${way} is shown, counted and begun anew, though it does not heed its signal`, async (t) => {
      const { serve, attempts } = onceThen(first)
      const world = setUp(t, definitionOf(serve))
      await world.clock.advance(20_000)
      assert.equal(attempts(), 1)
      await world.clock.advance(14_000)
      assert.match(world.runner.report().error ?? '', /stood still and is begun anew/)
      assert.equal(await world.metric('vedette_entry_stalls_total'), 1)
      await world.clock.advance(30_000)
      assert.equal(attempts(), 2)
      assert.ok(world.stored.length > 3)
      unbroken(world.stored)
      assert.equal(world.runner.report().activity, 'reading')
      assert.equal(world.runner.report().error, null)
    })
  }

  test('cannot put anything between the events of the attempt that goes on in its place', async (t) => {
    const late = Promise.withResolvers<void>()
    const ended: string[] = []
    const { serve } = onceThen(async (ctx) => {
      await late.promise
      const told = (error: { code: string }) => void ended.push(error.code)
      await ctx.emit({ data: '77', id: '77', position: 77 }).catch(told)
      await ctx.advance(78).catch(told)
      await ctx.snapshot.save(Buffer.from('late')).catch(told)
      ctx.condition('said too late')
    })
    const world = setUp(t, definitionOf(serve))
    const saved: string[] = []
    world.bus.save = async (bytes) => void saved.push(String(Buffer.from(bytes)))
    await world.clock.advance(60_000)
    assert.ok(world.stored.length > 3)
    late.resolve()
    await world.clock.advance(5_000)
    unbroken(world.stored)
    assert.deepEqual(ended, ['NOT_LEADING', 'NOT_LEADING', 'NOT_LEADING'])
    assert.deepEqual(saved, ['x'])
    assert.equal(world.runner.report().error, null)
  })

  test('because the outcome of an event was lost is begun anew from the last position that is known', async (t) => {
    const world = setUp(t, definitionOf(counting))
    await world.clock.advance(5_500)
    const { append } = world
    world.append = never
    await world.clock.advance(2_000)
    assert.equal(world.runner.report().activity, 'waiting for the bus')
    world.append = append
    await world.clock.advance(60_000)
    assert.ok(world.stored.length > 20)
    unbroken(world.stored)
    assert.equal(await world.metric('vedette_entry_stalls_total'), 1)
  })

  test('is not one that waits for a bus that is away', async (t) => {
    const world = setUp(t, definitionOf(counting))
    await world.clock.advance(5_500)
    const { append } = world
    const back = Promise.withResolvers<void>()
    world.busy = true
    world.append = async (member) => {
      await back.promise
      return await append(member)
    }
    await world.clock.advance(600_000)
    assert.equal(await world.metric('vedette_entry_stalls_total'), 0)
    back.resolve()
    world.busy = false
    await world.clock.advance(5_000)
    assert.ok(world.stored.length > 8)
    unbroken(world.stored)
  })

  test('that begins slowly again and again is given more time each time', async (t) => {
    let attempts = 0
    const world = setUp(
      t,
      definitionOf(async (ctx) => {
        attempts++
        await ctx.clock.sleep(100_000, ctx.signal)
        await counting(ctx)
      }),
    )
    await world.clock.advance(400_000)
    assert.equal(attempts, 3)
    assert.ok(world.stored.length > 3)
  })
})

test('an entry that begins to read while it waits for the bus counts as served from then on, in status and in metrics', async (t) => {
  const answer = Promise.withResolvers<null>()
  const begin = Promise.withResolvers<void>()
  const serve: Serve = async (ctx) => {
    const kept = ctx.snapshot.load()
    await begin.promise
    ctx.reading()
    await kept
    await ctx.clock.sleep(60_000, ctx.signal).catch(() => {})
  }
  const world = setUp(t, definitionOf(serve), { load: () => answer.promise })
  const serving = async () => [world.runner.report().serving, await world.metric('vedette_entry_serving')]
  await world.clock.advance(1_000)
  assert.deepEqual(await serving(), [false, 0])
  begin.resolve()
  await world.clock.advance(1_000)
  assert.deepEqual(await serving(), [true, 1])
  answer.resolve(null)
  await world.clock.advance(1_000)
  assert.deepEqual(await serving(), [true, 1])
})
