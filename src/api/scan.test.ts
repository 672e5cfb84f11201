import assert from 'node:assert/strict'
import test from 'node:test'
import { busWith, put } from './events.fixture.ts'
import { eventLine } from './line.ts'
import { parseCount, parseFrom, type Scan, scan } from './scan.ts'

async function ids(log: Parameters<typeof scan>[0], wanted: Scan): Promise<string[]> {
  const found: string[] = []
  for await (const stored of scan(log, wanted)) found.push(stored.id)
  return found
}

test('the first N with a start, the last N without', async () => {
  const bus = await busWith(200)
  assert.deepEqual(await ids(bus, { limit: 3, follow: false }), ['s-e-198', 's-e-199', 's-e-200'])
  assert.deepEqual(await ids(bus, { from: 'start', limit: 2, follow: false }), ['s-e-1', 's-e-2'])
  assert.equal((await ids(bus, { from: 'start', follow: false })).length, 200)
  assert.deepEqual(await ids(bus, { from: 'now', follow: false }), [])
  assert.deepEqual(await ids(bus, { limit: 0, follow: false }), [])
})

test('the last N of one entry are found however far back they lie', async () => {
  const bus = await busWith(0)
  await put(bus, 1, 3, 's', 'rare')
  await put(bus, 1, 500, 's', 'often')
  assert.deepEqual(await ids(bus, { entry: 'rare', limit: 2, follow: false }), ['s-rare-2', 's-rare-3'])
})

test('whatever the limit, nothing is gathered: the first of the last N comes before the others are read', async () => {
  const bus = await busWith(0)
  const event = Buffer.from('{}')
  const batch = Array.from({ length: 2500 }, (_, i) => ({ entry: 'e', id: `s-e-${i + 1}`, event }))
  await bus.append({ namespace: 'default', name: 's' }, batch)
  let read = 0
  const log = {
    state: bus.state,
    async *read(options: Parameters<typeof bus.read>[0]) {
      for await (const stored of bus.read(options)) {
        read++
        yield stored
      }
    },
  }
  for (const limit of [1, 2099, 2100, 2500, 900_000_000, Number.MAX_SAFE_INTEGER]) {
    const found: string[] = []
    let atFirst = 0
    read = 0
    for await (const { id } of scan(log, { limit, follow: false })) {
      if (found.length === 0) atFirst = read
      found.push(id)
    }
    const first = Math.max(1, 2500 - limit + 1)
    assert.deepEqual([found.length, found[0], found.at(-1)], [2501 - first, `s-e-${first}`, 's-e-2500'])
    if (limit >= 2500) assert.equal(atFirst, 1)
  }
})

test('the last N, then what comes, each once', async () => {
  const bus = await busWith(5)
  const stop = new AbortController()
  const found: string[] = []
  const reading = (async () => {
    for await (const stored of scan(bus, { limit: 2, follow: true, signal: stop.signal })) {
      found.push(stored.id)
      if (found.length === 2) await put(bus, 6, 7)
      if (found.length === 4) stop.abort()
    }
  })()
  await reading
  assert.deepEqual(found, ['s-e-4', 's-e-5', 's-e-6', 's-e-7'])
})

test('a line has the bytes of the bus and stays one line whatever they are', async () => {
  const bus = await busWith(1)
  const [stored] = await bus.tail({ namespace: 'default', name: 's' }, 'e', 1)
  const line = eventLine(stored!)
  assert.ok(line.endsWith(`"event":${Buffer.from(stored!.event).toString()}}`))
  assert.deepEqual(JSON.parse(line).subject, 'default.s.e')
  for (const foreign of ['{\n"a": 1}', 'not json\n', '{"a":"\u2028"} {']) {
    const other = eventLine({ ...stored!, event: Buffer.from(foreign) })
    assert.ok(!/[\r\n]/.test(other))
    JSON.parse(other)
  }
})

test('places and counts that are none are refused', () => {
  assert.equal(parseFrom('12'), 12)
  for (const wrong of ['', 'first', '-1', '1.5', '1e3', '99999999999999999999']) {
    assert.throws(() => parseFrom(wrong), { code: 'USAGE' })
  }
  for (const wrong of ['', 'x', '-1', '1.5']) assert.throws(() => parseCount(wrong), { code: 'USAGE' })
})
