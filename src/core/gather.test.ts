import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { gatherLines } from './gather.ts'
import { createLogger, type Logger, silentLogger } from './log.ts'

type Written = [message: string, fields: Record<string, unknown>]

function gathering() {
  const clock = fakeClock()
  const lines: Written[] = []
  const write = (message: string, fields: Record<string, unknown> = {}) => void lines.push([message, fields])
  const root: Logger = { ...silentLogger, info: write, warn: write, error: write, debug: write }
  return { clock, lines, ...gatherLines(root, clock) }
}

const replicas = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `s${from + i}-0`)

test('one line passes as it is, hardly late', async () => {
  const { log, clock, lines } = gathering()
  log.child({ eventSourceName: 's' }).info('leads', { replica: 's-0', term: 3 })
  await clock.advance(60)
  assert.deepEqual(lines, [['leads', { eventSourceName: 's', replica: 's-0', term: 3 }]])
})

test('what many say in one burst is one line with a count and the first names', async () => {
  const { log, clock, lines } = gathering()
  for (const replica of replicas(0, 200))
    log.warn('the lock cannot be used', { replica, host: 1, error: 'no answer within 1000 ms' })
  await clock.advance(60)
  assert.deepEqual(lines, [
    [
      'the lock cannot be used',
      { count: 200, of: 's0-0, s1-0, s2-0, s3-0, s4-0, and 195 more', host: 1, error: 'no answer within 1000 ms' },
    ],
  ])
})

test('a storm that goes on is a line every two seconds, whether it came in bursts or one by one', async () => {
  for (const pause of [0, 60]) {
    const { log, clock, lines } = gathering()
    for (const replica of replicas(0, 300)) {
      log.warn('the lock cannot be used', { replica })
      await clock.advance(pause === 0 && replica.endsWith('9-0') ? 300 : pause)
    }
    await clock.advance(3_000)
    assert.ok(lines.length <= 20, `${lines.length} lines`)
    const counted = lines.reduce((sum, [, { count = 1 }]) => sum + Number(count), 0)
    assert.equal(counted, 300)
  }
})

test('a few lines of a kind, one after another, are each at once', async () => {
  const { log, clock, lines } = gathering()
  for (const replica of replicas(0, 3)) {
    log.info('leads', { replica })
    await clock.advance(200)
  }
  assert.deepEqual(
    lines.map(([, { replica }]) => replica),
    ['s0-0', 's1-0', 's2-0'],
  )
})

test('different kinds do not wait for each other, and after a calm a single line is quick again', async () => {
  const { log, clock, lines } = gathering()
  for (const replica of replicas(0, 10)) {
    log.warn('the lock cannot be used', { replica })
    log.info('no longer leads', { replica })
  }
  await clock.advance(60)
  assert.equal(lines.length, 2)
  await clock.advance(10_000)
  log.warn('the lock cannot be used', { replica: 's-0' })
  await clock.advance(60)
  assert.deepEqual(lines.at(-1), ['the lock cannot be used', { replica: 's-0' }])
})

test('an entry that flaps between two errors says each once a minute, with how often', async () => {
  const { log, clock, lines } = gathering()
  const entry = log.child({ eventSourceName: 's', eventName: 'queue', eventSourceType: 'amqp' })
  for (let try_ = 0; try_ < 40; try_++) {
    entry.warn('entry has a problem', { error: try_ % 2 === 0 ? 'connection refused' : `reset after ${try_} ms` })
    await clock.advance(6_000)
  }
  await clock.advance(80_000)
  const told = lines.reduce((sum, [, { times = 1 }]) => sum + Number(times), 0)
  assert.ok(lines.length >= 6 && lines.length <= 12, `${lines.length} lines in four minutes: ${JSON.stringify(lines)}`)
  assert.equal(told, 40, 'all are accounted for')
  assert.deepEqual(lines[0], [
    'entry has a problem',
    { eventSourceName: 's', eventName: 'queue', eventSourceType: 'amqp', error: 'connection refused' },
  ])
})

test('what an entry said last is told within the next minutes, also when nothing comes any more', async () => {
  const { log, clock, lines } = gathering()
  const entry = log.child({ eventSourceName: 's', eventName: 'queue' })
  for (const error of ['a', null, 'a', null, 'a']) {
    if (error === null) entry.info('entry is fine again')
    else entry.warn('entry has a problem', { error })
    await clock.advance(1_000)
  }
  assert.equal(lines.length, 2)
  await clock.advance(80_000)
  assert.deepEqual(
    lines
      .slice(2)
      .map(([message, { times }]) => [message, times ?? 1])
      .sort(),
    [
      ['entry has a problem', 2],
      ['entry is fine again', 1],
    ],
  )
})

test('a text that is another each time is no flood either', async () => {
  const { log, clock, lines } = gathering()
  const entry = log.child({ eventSourceName: 's', eventName: 'queue' })
  for (let i = 0; i < 26; i++) {
    entry.warn('entry has a problem', { error: `request ${String.fromCharCode(97 + i)} failed` })
    await clock.advance(1_000)
  }
  assert.ok(lines.length <= 5, `${lines.length} lines`)
})

test('lines about one event, about nothing, and debug lines pass at once', () => {
  const { log, lines } = gathering()
  const entry = log.child({ eventSourceName: 's', eventName: 'orders' })
  entry.info('Succeeded to publish an event', { eventID: '1' })
  entry.info('Succeeded to publish an event', { eventID: '2' })
  entry.debug('looked', { n: 1 })
  log.info('connected to the bus')
  assert.deepEqual(
    lines.map(([message]) => message),
    ['Succeeded to publish an event', 'Succeeded to publish an event', 'looked', 'connected to the bus'],
  )
})

test('flush writes what is held, and leaves no timer', () => {
  const { log, lines, clock, flush } = gathering()
  log.child({ eventSourceName: 's', eventName: 'orders' }).error('entry has a problem', { error: new Error('gone') })
  flush()
  assert.equal(lines.length, 1)
  assert.equal(clock.timers, 0)
})

test('a gathered line is readable', async () => {
  const clock = fakeClock()
  const written: string[] = []
  const root = createLogger({ format: 'text', redact: (text) => text, write: (line) => written.push(line) })
  const { log } = gatherLines(root.child({ host: 2 }), clock)
  for (const replica of replicas(0, 3)) log.warn('the lock cannot be used', { replica, error: new Error('no answer') })
  await clock.advance(60)
  assert.match(
    written.join(''),
    /WARN {2}the lock cannot be used host=2 count=3 of="s0-0, s1-0, s2-0" error="no answer"\n$/,
  )
})
