/** The judge is judged: logs that are as they should be, and each with one thing wrong, which it must find. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Line } from '../faults/rig.ts'
import type { Logged } from '../faults/stream-log.ts'
import { idsOf } from '../faults/ticks.ts'
import { assertIdsOnce, judgeLog } from './judge.ts'
import { type Circumstances, judgeNumbers } from './judge-numbers.ts'
import { ticksOf } from './manifest.ts'
import type { Sent } from './numbers.ts'
import type { OriginJudged } from './origin.ts'
import { crashes } from './run.ts'
import { everythingServed } from './served.ts'
import { termsRise } from './terms.ts'
import { TRAITS } from './traits.ts'
import { isOf, type World } from './world.ts'

const ticks = ticksOf({ everyMs: 1_000 })
const beganMs = Date.parse('2026-11-30T12:00:00Z')

/** @param data the payload */
const eventOf = (subject: string, id: string, atMs: number, term: number | null, data: unknown): Logged => ({
  ...{ seq: 0, subject, namespace: 'default', term, time: new Date(atMs).toISOString() },
  event: {
    ...{ id, source: subject, subject, time: new Date(atMs).toISOString() },
    data_base64: Buffer.from(JSON.stringify(data)).toString('base64'),
  },
})

/** A second of each: four ticks, a request and a message, for so many seconds; the lead moves in the middle. */
function goodLog(seconds = 20): Logged[] {
  const events: Logged[] = []
  for (let second = 0; second < seconds; second++) {
    const atMs = beganMs + second * 1_000
    const term = second < seconds / 2 ? 1 : 2
    for (const tick of ticks)
      events.push(eventOf(`default.clock.${tick.entry}`, idsOf(tick)(atMs), atMs + 5, term, { eventTime: '' }))
    events.push(eventOf('default.orders.order', `k${second}`, atMs + 6, null, { body: { key: `k${second}` } }))
    events.push(eventOf('default.queue.numbers0', `n${second}`, atMs + 7, term, { body: { n: second } }))
  }
  return events
}

const numberOf = (line: Line) =>
  (JSON.parse(Buffer.from(line.event.data_base64, 'base64').toString()) as { body: { n: number } }).body.n
const sentFor = (seconds: number): Sent[] =>
  Array.from({ length: seconds }, (_, n) => ({
    n,
    fromMs: beganMs + n * 1_000,
    toMs: beganMs + n * 1_000 + 3,
    sure: true,
  }))
const calm: Circumstances = {
  ...{ judgedFromMs: beganMs, replicas: 3, deaf: [], busAway: [], originAway: [] },
  ...{ faults: 3, unacknowledged: 0, repeats: false },
}

function judged(events: Logged[], { repeats = false, origin = 'nsq', seconds = 20 } = {}): string[] {
  const numbered = events.map((event, i) => ({ ...event, seq: i + 1 }))
  const messages = (lines: Logged[]): OriginJudged => {
    const found = judgeNumbers(lines.map(numberOf), sentFor(seconds), TRAITS[origin]!, { ...calm, repeats })
    return {
      ...{ promised: found.promised, copies: found.allowed },
      violations: [
        ...(found.lost.length > 0 ? [`lost ${found.lost}`] : []),
        ...(found.doubled.length > 0 ? [`doubled ${found.doubled}`] : []),
        ...(found.strange.length > 0 ? [`strange ${found.strange}`] : []),
      ],
    }
  }
  return judgeLog(
    { events: numbered, fenced: () => termsRise(numbered) },
    {
      ...{ ticks, requests: 'default.orders.', repeats, origins: [messages], isOf },
      acknowledged: Array.from({ length: seconds }, (_, i) => `k${i}`),
    },
  ).violations
}

const is = (subject: string, nth: number) => {
  let seen = 0
  return (event: Logged) => event.subject === subject && seen++ === nth
}
const without = (wrong: (event: Logged) => boolean) => {
  const log = goodLog()
  log.splice(log.findIndex(wrong), 1)
  return log
}
const twice = (wrong: (event: Logged) => boolean, again: Partial<Logged> = {}) => {
  const log = goodLog()
  const at = log.findIndex(wrong)
  log.splice(at + 1, 0, { ...log[at]!, ...again })
  return log
}

test('a log that is as it should be is found to be so', () => {
  assert.deepEqual(judged(goodLog()), [])
})

const wrong: Record<string, [Logged[], RegExp]> = {
  'a tick is missing': [without(is('default.clock.beat2', 7)), /beat2: not the unbroken row/],
  'a tick is there twice': [twice(is('default.clock.beat0', 12)), /beat0: not the unbroken row/],
  'a tick comes after a later one': [
    (() => {
      const log = goodLog()
      const [a, b] = [4, 5].map((nth) => log.findIndex(is('default.clock.beat1', nth))) as [number, number]
      ;[log[a], log[b]] = [log[b]!, log[a]!]
      return log
    })(),
    /beat1: not the unbroken row/,
  ],
  'an acknowledged request is missing': [without(is('default.orders.order', 3)), /1 of 20 acknowledged/],
  'a request is there twice': [twice(is('default.orders.order', 3)), /more than once/],
  'a message is missing': [without(is('default.queue.numbers0', 9)), /lost 9/],
  'a message is there twice under another id': [
    twice(is('default.queue.numbers0', 9), {
      event: { ...goodLog().find(is('default.queue.numbers0', 9))!.event, id: 'other' },
    }),
    /doubled 9/,
  ],
  'a message that nobody sent': [
    [...goodLog(), eventOf('default.queue.numbers0', 'x', beganMs + 20_000, 2, { body: { n: 77 } })],
    /strange 77/,
  ],
  'an event of an older term comes after one of a newer': [
    goodLog().map((event, i) => (i === 98 ? { ...event, term: 1 } : event)),
    /of term 1 was accepted after one of term 2/,
  ],
  'an id is there twice, whatever it says': [
    [...goodLog(), { ...eventOf('default.queue.numbers0', 'n3', beganMs + 20_000, 2, { body: { n: 3 } }) }],
    /1 ids are on the log more than once/,
  ],
}
for (const [what, [log, says]] of Object.entries(wrong)) {
  test(`it is found that ${what}`, () => {
    const violations = judged(log)
    assert.ok(
      violations.some((text) => says.test(text)),
      `found: ${violations}`,
    )
  })
}

test('what a class allows is no violation: a repeat on a bus that knows no ids, a copy at least once', () => {
  assert.deepEqual(judged(twice(is('default.orders.order', 3)), { repeats: true }), [])
  const copied = [...Array(20).keys(), 4, 4]
  const found = (unacknowledged: number, faults: number) =>
    judgeNumbers(copied, sentFor(20), TRAITS['mqtt (QoS 1)']!, { ...calm, unacknowledged, faults })
  assert.deepEqual([found(1, 1).doubled, found(1, 1).allowed], [[], 2])
  assert.deepEqual(found(1, 0).doubled, [4])
})

test('a message whose sending failed may be there or not, but not twice where ids are', () => {
  const sent = sentFor(3).map((one) => ({ ...one, sure: one.n !== 1 }))
  const found = (numbers: number[]) => judgeNumbers(numbers, sent, TRAITS.nsq!, calm)
  assert.deepEqual(found([0, 2]).lost, [])
  assert.deepEqual(found([0, 1, 2]).lost, [])
  assert.deepEqual(found([0, 1, 1, 2]).doubled, [1])
})

test('ids of active-active entries are not asked for where the bus knows none', () => {
  const log = twice(is('default.orders.order', 3))
  assert.throws(() => assertIdsOnce(log))
  assert.doesNotThrow(() => assertIdsOnce(log.filter(({ term }) => term !== null)))
})

test('a process that crashed is found in the log', () => {
  const log =
    '10:00 WARN  a host process ended; starting it again host=1 pid=7 why=exit 70 inMs=0\n10:00 INFO  leads why=SIGKILL\n'
  assert.equal(crashes(log).length, 1)
  assert.deepEqual(crashes('why=SIGKILL\nwhy=exit 0\n'), [])
})

/** A world in which what is named goes on, and nothing else. */
function worldWhere(goesOn: { webhook?: boolean; ticks?: boolean; origin?: boolean }): World {
  const lines: Line[] = []
  const acknowledged: string[] = []
  const timer = setInterval(() => {
    const atMs = Date.now() + 10
    if (goesOn.webhook) acknowledged.push('k')
    if (goesOn.ticks) for (const { entry } of ticks) lines.push(eventOf(`default.clock.${entry}`, 'i', atMs, 1, {}))
    if (goesOn.origin) lines.push(eventOf('default.queue.numbers0', 'i', atMs, 1, { body: { n: 1_000 } }))
  }, 5)
  timer.unref()
  const origin = { name: 'nsq', fresh: () => (line: Line) => numberOf(line) >= 1_000 }
  return {
    plan: { everyMs: 1_000, origins: ['nsq'] },
    ...{ listener: { lines }, crowd: { acknowledged }, origins: [origin], bus: { kind: 'embedded' } },
    rig: {
      status: async () => ({ eventSources: [{ entries: [{ error: null }], state: 'serving' }] }),
      lines: async () => lines,
    },
    say() {},
  } as unknown as World
}

test('an entry that is not served after healing is found, whatever status says', async () => {
  const found = async (goesOn: Parameters<typeof worldWhere>[0]) =>
    (await everythingServed(worldWhere(goesOn), 300)).violations
  assert.deepEqual(await found({ webhook: true, ticks: true, origin: true }), [])
  assert.match((await found({ webhook: true, ticks: true })).join(), /^nsq: nothing new within 300 ms/)
  assert.match((await found({ ticks: true, origin: true })).join(), /^webhook: nothing new/)
  assert.equal((await found({ webhook: true, origin: true })).length, ticks.length)
})
