import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Cron, neverFires, nextFire, parseCron } from './cron.ts'
import { loadZone, type Zone } from './zone.ts'

interface Vector {
  spec: string
  seconds?: boolean
  zone?: string
  after?: string
  next?: number[]
  error?: string
}

/** What github.com/robfig/cron/v3 v3.0.1 says: `next` are the six fire times after `after`, seconds since the epoch. */
const vectors = readFileSync(new URL('../../../test/golden/cron-vectors.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)

const zones = new Map<string, Zone>()
function zone(name: string): Zone {
  const known = zones.get(name) ?? loadZone(name)
  zones.set(name, known)
  return known
}

/** Wall clock by another way than the code's: its own formatter, every field. */
function wallClock(name: string): (seconds: number) => Record<string, number> {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (seconds) => {
    const parts = Object.fromEntries(
      format.formatToParts(seconds * 1000).map(({ type, value }) => [type, Number(value)]),
    )
    return { ...parts, weekday: new Date(Date.UTC(parts.year!, parts.month! - 1, parts.day)).getUTCDay() }
  }
}

function matches(cron: Cron, wall: Record<string, number>): boolean {
  const day = cron.dayOfMonth.includes(wall.day!)
  const weekday = cron.dayOfWeek.includes(wall.weekday!)
  return (
    cron.second.includes(wall.second!) &&
    cron.minute.includes(wall.minute!) &&
    cron.hour.includes(wall.hour!) &&
    cron.month.includes(wall.month!) &&
    (cron.bothDays ? day && weekday : day || weekday)
  )
}

test('errors are in the words of robfig/cron', () => {
  const bad = vectors.filter((vector) => vector.error !== undefined)
  assert.ok(bad.length > 40)
  for (const { spec, error } of bad)
    assert.throws(() => parseCron(spec), { code: 'SPEC_INVALID', message: error }, spec)
})

test('fire times are those of robfig/cron, but where it loses a tick to an odd change of offset', () => {
  const good = vectors.filter((vector) => vector.next !== undefined)
  assert.ok(good.length > 1900)
  const deviating = new Map<string, number>()
  for (const { spec, seconds = false, zone: name = '', after = '', next = [] } of good) {
    const cron = parseCron(spec, { withSeconds: seconds })
    const evaluatedIn = cron.zone ?? name
    let at = Date.parse(after)
    const got = next.map(() => {
      at = nextFire(cron, zone(evaluatedIn), at) ?? Number.NaN
      return at / 1000
    })
    if (got.join() === next.join()) continue
    deviating.set(evaluatedIn, (deviating.get(evaluatedIn) ?? 0) + 1)
    // where the two differ, looking at every minute tells who is right
    const wall = wallClock(evaluatedIn)
    const right: number[] = []
    for (let minute = Math.floor(Date.parse(after) / 60_000) + 1; minute * 60 <= got[5]!; minute++) {
      // both zones are whole half hours from UTC
      if (!cron.minute.some((value) => value % 30 === minute % 30)) continue
      if (matches(cron, wall(minute * 60))) right.push(minute * 60)
    }
    assert.deepEqual(got, right, `${spec} in ${evaluatedIn} after ${after}`)
  }
  // clocks that move by half an hour, and midnights that do not exist
  assert.deepEqual(Object.fromEntries(deviating), { 'Australia/Lord_Howe': 28, 'Asia/Beirut': 5 })
})

test('a day that does not exist is passed over', () => {
  // Samoa had no 30 December 2011; robfig/cron never returns here
  const next = nextFire(parseCron('0 9 * * sat'), zone('Pacific/Apia'), Date.parse('2011-12-29T22:00:00Z'))
  assert.equal(new Date(next!).toISOString(), '2011-12-30T19:00:00.000Z')
  const thirtieth = nextFire(parseCron('0 9 30 * *'), zone('Pacific/Apia'), Date.parse('2011-12-29T22:00:00Z'))
  assert.equal(new Date(thirtieth!).toISOString(), '2012-01-29T19:00:00.000Z')
})

test('a prefix without the rest is an error, not a crash', () => {
  for (const text of ['TZ=UTC', 'CRON_TZ=Europe/Berlin', 'TZ=', 'TZ=UTC ']) {
    assert.throws(() => parseCron(text), { message: 'expected exactly 5 fields, found 0: []' }, text)
  }
  assert.throws(() => parseCron('TZ=Nowhere'), { message: 'provided bad location Nowhere: unknown time zone Nowhere' })
  assert.equal(parseCron('TZ=Local * * * * *').zone, undefined)
})

test('what never fires is known at once', () => {
  for (const text of ['0 0 31 2 *', '0 0 30 feb *', '0 0 31 4,6,9,11 *', ', * * * *', '* * , * 1,']) {
    const expected = text !== '* * , * 1,'
    assert.equal(neverFires(parseCron(text)), expected, text)
    assert.equal(nextFire(parseCron(text), zone('Europe/Berlin'), 0) === null, expected, text)
  }
  // eight years without a 29 February
  const next = nextFire(parseCron('0 0 29 2 *'), zone('UTC'), Date.parse('2096-03-01T00:00:00Z'))
  assert.equal(new Date(next!).toISOString(), '2104-02-29T00:00:00.000Z')
})

const field = (min: number, max: number) => {
  const value = fc.integer({ min, max })
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
  const part = fc.oneof(fc.constantFrom('*', '?'), value.map(String), range)
  const stepped = fc.tuple(part, fc.integer({ min: 1, max: 30 })).map(([p, step]) => `${p}/${step}`)
  return fc.array(fc.oneof(part, stepped), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(','))
}
const spec = fc
  .tuple(field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
  .map((fields) => fields.join(' '))
const zoneName = fc.constantFrom(
  'UTC',
  'America/New_York',
  'Europe/Dublin',
  'Australia/Lord_Howe',
  'Asia/Beirut',
  'America/St_Johns',
  'Africa/Casablanca',
  'Pacific/Chatham',
)

test('property: the next time is later, matches every field, and nothing between matches', () => {
  fc.assert(
    fc.property(spec, zoneName, fc.integer({ min: Date.UTC(2007, 0), max: Date.UTC(2045, 0) }), (text, name, after) => {
      const cron = parseCron(text, { withSeconds: true })
      const next = nextFire(cron, zone(name), after)
      if (next === null) return assert.ok(neverFires(cron))
      assert.ok(next > after)
      assert.equal(next % 1000, 0)
      const wall = wallClock(name)
      assert.ok(matches(cron, wall(next / 1000)), `${text} at ${new Date(next).toISOString()}`)
      // asking from anywhere between gives the same answer
      for (const part of [0.1, 0.5, 0.9]) {
        assert.equal(nextFire(cron, zone(name), Math.floor(after + (next - 1 - after) * part)), next)
      }
      // and the last seconds before it, as well as the first after the start, do not match
      for (let at = Math.max(next / 1000 - 90, Math.floor(after / 1000) + 1); at < next / 1000; at++) {
        assert.ok(!matches(cron, wall(at)))
      }
    }),
    { numRuns: 300 },
  )
})

test('property: whatever the text, it parses or is refused with SPEC_INVALID', () => {
  const noise = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789*/,-? TZ=@Ujan\t') }))
  fc.assert(
    fc.property(noise, fc.boolean(), (text, withSeconds) => {
      try {
        nextFire(parseCron(text, { withSeconds }), zone('UTC'), 0)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'SPEC_INVALID', text)
      }
    }),
    { numRuns: 2000 },
  )
})
