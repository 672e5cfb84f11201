/** The embedded bus when its store is full, damaged or too new, and when clients send garbage. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { pack } from 'msgpackr'
import { checkStore, repairStore } from '../../src/bus/embedded/check.ts'
import { openStoreReadOnly } from '../../src/bus/embedded/readonly.ts'
import { openStore } from '../../src/bus/embedded/store.ts'
import { isVedetteError } from '../../src/core/errors.ts'
import { event, eventsOf, kinds, numbered, readAll, until } from './bus.ts'
import { startBus, takeLease } from './bus-embedded.fixture.ts'

const SOURCE = { namespace: 'default', name: 's' }
const padding = () => randomBytes(1500)

/** A store that was run and stopped, with `count` events and one position. */
async function filledStore(count: number) {
  const bus = await startBus()
  const client = await bus.connect()
  await takeLease(client, SOURCE, 'r-0')
  const fence = await client.claim(SOURCE, { holder: 'r-0', nonce: 'n', floor: 0 })
  for (let i = 0; i < count; i += 500) {
    await client.appendFenced(
      fence,
      numbered(`e${i}`, 500, (n) => ({ event: padding(), position: i + n })),
    )
  }
  await client.kv.put('k', Buffer.from('v'))
  await client.close()
  await bus.kill()
  return bus
}

suite('embedded bus: full', { timeout: 120_000 }, () => {
  test('events are refused, leases and claims still work, and events are taken again when old ones have gone', async () => {
    const bus = await startBus({ maxStoreBytes: 3 << 20, maxAgeMs: 4000, dedupMs: 4000 })
    const client = await bus.connect()
    await takeLease(client, SOURCE, 'r-0')
    const fence = await client.claim(SOURCE, { holder: 'r-0', nonce: 'n', floor: 0 })
    let stored = 0
    let refusal: string | undefined
    for (let i = 0; refusal === undefined && i < 3000; i++) {
      const [outcome] = await client.append(SOURCE, [event(`f-${i}`, { event: randomBytes(20_000) })])
      if (outcome!.outcome === 'stored') stored++
      else refusal = `${outcome!.outcome} ${(outcome as { error: { code: string } }).error.code}`
    }
    assert.equal(refusal, 'unavailable BUS_FULL')
    assert.ok(stored > 20)
    assert.deepEqual(kinds(await client.appendFenced(fence, [event('x', { position: 1 })])), ['unavailable'])
    await takeLease(client, SOURCE, 'r-1')
    const next = await client.claim(SOURCE, { holder: 'r-1', nonce: 'm', floor: 0 })
    assert.equal(next.positions.size, 0)
    await until(
      'there is space again',
      async () => kinds(await client.appendFenced(next, [event('y')]))[0] === 'stored',
      30_000,
    )
    const first = (await client.state()).firstSeq
    assert.ok(first > 1, 'the oldest have gone')
    assert.equal((await readAll(client, { from: 1 }))[0]?.seq, first, 'reading begins at the oldest there is')
    assert.equal(bus.child.exitCode, null)
    await bus.close()
  })

  test('a full disk is refused and survived, and events are taken again when it has space', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'vbus-small-'))
    if (process.getuid?.() !== 0 || process.platform !== 'linux')
      return t.skip('a small file system needs root and Linux')
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', dir], { stdio: 'ignore' })
    } catch {
      return t.skip('no file system may be mounted here')
    }
    try {
      const ballast = join(dir, 'ballast')
      writeFileSync(ballast, Buffer.alloc(1 << 20))
      const bus = await startBus({ dir: join(dir, 'store') })
      const client = await bus.connect()
      let last = 'stored'
      let acknowledged = 0
      for (let i = 0; last === 'stored' && i < 2000; i++) {
        const [outcome] = await client.append(SOURCE, [event(`d-${i}`, { event: randomBytes(20_000) })])
        last = outcome!.outcome === 'stored' ? 'stored' : (outcome as { error: { code: string } }).error.code
        if (last === 'stored') acknowledged++
      }
      assert.equal(last, 'BUS_FULL')
      assert.ok(acknowledged > 10)
      rmSync(ballast)
      await until(
        'there is space again',
        async () => kinds(await client.append(SOURCE, [event('after')]))[0] !== 'unavailable',
      )
      assert.equal((await eventsOf(client, SOURCE)).length, acknowledged + 1)
      assert.equal(bus.child.exitCode, null)
      await bus.close()
    } finally {
      execFileSync('umount', [dir])
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

suite('embedded bus: damaged store', { timeout: 400_000 }, () => {
  const refuses = async (bus: Awaited<ReturnType<typeof filledStore>>) => {
    const said = await bus.start()
    assert.equal(said.error?.code, 'STORE_CORRUPT', JSON.stringify(said))
    assert.match(said.error.message, /vedette doctor --repair/)
    if (bus.child.exitCode === null) await once(bus.child, 'exit')
    assert.equal(bus.child.exitCode, 1)
    await assert.rejects(openStoreReadOnly(bus.dir), (error) => isVedetteError(error, 'STORE_CORRUPT'))
    assert.ok((await checkStore(bus.dir)).problems.length > 0)
  }

  test('a file of something else is refused with the way back; repaired, the bus runs', async () => {
    const bus = await filledStore(500)
    writeFileSync(join(bus.dir, 'data.mdb'), randomBytes(100_000))
    await refuses(bus)
    const { damaged } = await repairStore(bus.dir)
    assert.equal(statSync(join(damaged, 'data.mdb')).size, 100_000)
    assert.equal((await bus.start()).ready, true)
    await bus.close()
  })

  test('a truncated file is refused with the way back; repaired, what can be read is there', async () => {
    const bus = await filledStore(3000)
    const file = join(bus.dir, 'data.mdb')
    truncateSync(file, Math.floor((statSync(file).size * 0.7) / 4096) * 4096)
    await refuses(bus)
    const repaired = await repairStore(bus.dir)
    assert.equal(repaired.records + repaired.lost!, 3000, repaired.text)
    assert.ok(repaired.records > 1000, `${repaired.records} records`)
    assert.equal((await bus.start({ incarnation: 'next' })).ready, true)
    const client = await bus.connect()
    const events = await readAll(client, {})
    assert.equal(events.length, repaired.records)
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map(({ seq }) => seq).toSorted((a, b) => a - b),
    )
    await takeLease(client, SOURCE, 'r-0')
    const fence = await client.claim(SOURCE, { holder: 'r-0', nonce: 'n', floor: 0 })
    assert.ok(fence.term > 1, 'the term goes on from what the events say')
    assert.deepEqual(kinds(await client.appendFenced(fence, [{ ...events[0]!, entry: 'e' }, event('new')])), [
      'duplicate',
      'stored',
    ])
    await bus.close()
  })

  test('flipped bits are found by the check; repaired, every sound record is there', async () => {
    const bus = await filledStore(2000)
    const file = join(bus.dir, 'data.mdb')
    const handle = openSync(file, 'r+')
    // Not the first two pages, which say where everything is.
    for (let at = 40 * 4096 + 3000; at < statSync(file).size - 4096; at += 31 * 4096)
      writeSync(handle, randomBytes(60), 0, 60, at)
    closeSync(handle)
    const { problems } = await checkStore(bus.dir)
    assert.ok(problems.length > 0)
    const repaired = await repairStore(bus.dir)
    // Also of torn pages what is whole is saved, and what an older copy of a page still has.
    assert.ok(repaired.records > 1500 && repaired.records <= 2000, `${repaired.records} of 2000`)
    assert.deepEqual((await checkStore(bus.dir)).problems, [])
    assert.equal((await bus.start()).ready, true)
    const client = await bus.connect()
    assert.equal((await readAll(client, {})).length, repaired.records)
    assert.ok(readdirSync(bus.dir).some((name) => name.startsWith('store.damaged-')))
    await bus.close()
  })

  test('looking through a store says how far it is; when it stands still it is given up, and the store is not called damaged', async () => {
    const bus = await filledStore(1000)
    const progress: number[] = []
    const found = await checkStore(bus.dir, { onProgress: (at, records) => at === 'log' && progress.push(records) })
    assert.deepEqual([found.records, found.problems], [1000, []])
    assert.ok(
      progress.length > 5 && progress.every((records, i) => i === 0 || records > progress[i - 1]!),
      `${progress}`,
    )

    const childOf = () =>
      execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .find(([, parent, ...args]) => Number(parent) === process.pid && args.join(' ').includes(bus.dir))?.[0]
    const checking = checkStore(bus.dir, { silentMs: 3_000 })
    checking.catch(() => {})
    await until('the reading process is there', () => childOf() !== undefined)
    process.kill(Number(childOf()), 'SIGSTOP')
    await assert.rejects(
      checking,
      (error) => isVedetteError(error, 'BUS_UNAVAILABLE') && /reading the store stands still/.test(error.message),
    )
    assert.equal(childOf(), undefined, 'the reading process is gone')
    await bus.close()
  })

  test('a store that is written to meanwhile is looked through, and is not called damaged', async () => {
    const bus = await startBus({ maxBytes: 200_000 })
    const client = await bus.connect()
    let writing = true
    const writer = (async () => {
      for (let i = 0; writing; i++)
        await client.append(
          SOURCE,
          numbered(`w${i}`, 20, () => ({ event: padding() })),
        )
    })()
    try {
      for (let round = 0; round < 5; round++) {
        const before = (await client.state()).lastSeq
        const { problems, records } = await checkStore(bus.dir, { live: true })
        assert.deepEqual(problems, [])
        assert.ok(records > 0)
        assert.ok((await client.state()).lastSeq > before, 'nothing was written meanwhile')
      }
    } finally {
      writing = false
      await writer
      await bus.close()
    }
  })

  test('an empty or vanished file is no new store; a backup goes on behind the numbers that were given', async () => {
    const bus = await filledStore(500)
    const file = join(bus.dir, 'data.mdb')
    const backup = readFileSync(file)
    await bus.start({ incarnation: 'next' })
    const client = await bus.connect()
    await client.append(SOURCE, numbered('later', 50))
    await client.close()
    await bus.kill()
    await bus.start({ incarnation: 'next' })
    await bus.kill()
    const refused = async () => {
      const said = await bus.start({ incarnation: 'next' })
      assert.equal(said.error?.code, 'STORE_CORRUPT', JSON.stringify(said))
      assert.match(said.error.message, /but a store began here at .* and had come to event 550 .*doctor --repair/)
      await assert.rejects(openStoreReadOnly(bus.dir), (error) => isVedetteError(error, 'STORE_CORRUPT'))
      assert.equal((await checkStore(bus.dir)).problems.length, 1)
    }
    truncateSync(file, 0)
    await refused()
    rmSync(file)
    await refused()
    writeFileSync(file, backup)
    assert.equal((await bus.start({ incarnation: 'next' })).ready, true)
    const after = await bus.connect()
    const [outcome] = await after.append(SOURCE, [event('new')])
    assert.ok((outcome as { seq: number }).seq > 550, JSON.stringify(outcome))
    await bus.kill()
    rmSync(file)
    assert.deepEqual((await repairStore(bus.dir)).records, 0)
    assert.equal((await bus.start({ incarnation: 'next' })).ready, true)
    await bus.close()
  })

  test('a start says each step, and looks through a store of which it is not sure', async () => {
    const bus = await filledStore(500)
    await bus.start({ check: true })
    const steps = bus.steps.map((step) => step.split(' (')[0])
    assert.deepEqual(
      [...new Set(steps)],
      ['taking the store over', 'looking through the store', 'opening the store', 'listening'],
    )
    await bus.close()
  })

  test('a store of a later format is refused with the version that can read it', async () => {
    const bus = await filledStore(500)
    const store = await openStore({ dir: bus.dir, incarnation: 1 })
    store.transaction((tables) => {
      tables.meta.put('format', 7)
      tables.meta.put('since', 3_004_005)
    })
    await store.close()
    const said = await bus.start()
    assert.equal(said.error?.code, 'STORE_TOO_NEW')
    assert.match(said.error.message, /vedette 3\.4\.5 or later/)
    await assert.rejects(openStoreReadOnly(bus.dir), (error) => isVedetteError(error, 'STORE_TOO_NEW'))
    await bus.close()
  })

  test('a start that was killed while opening is followed by a start that looks first', async () => {
    const bus = await filledStore(500)
    writeFileSync(join(bus.dir, 'store.opening'), '1')
    assert.equal((await bus.start()).ready, true)
    assert.equal(readdirSync(bus.dir).includes('store.opening'), false)
    await bus.close()
  })
})

suite('embedded bus: reading when nothing runs', { timeout: 60_000 }, () => {
  test('the store is read, filtered and counted without a bus process', async () => {
    const bus = await filledStore(1000)
    const store = await openStoreReadOnly(bus.dir)
    assert.equal((await readAll(store, { entry: 'e' })).length, 1000)
    assert.equal((await store.tail(SOURCE, 'e', 3)).length, 3)
    assert.equal((await store.state()).entries[0]?.published, 1000)
    await store.close()
    await bus.close()
  })

  test('where nothing was run there is nothing to read', async () => {
    await assert.rejects(openStoreReadOnly(join(tmpdir(), 'no-such-store')), (error) =>
      isVedetteError(error, 'NOT_RUNNING'),
    )
  })
})

suite('embedded bus: hostile clients', { timeout: 60_000 }, () => {
  const frame = (value: unknown) => {
    const body = pack(value)
    const head = Buffer.alloc(4)
    head.writeUInt32BE(body.byteLength)
    return Buffer.concat([head, body])
  }
  const hello = frame([0, 'hello', { protocol: 1, session: 'h', incarnation: 1 }])

  test('garbage ends the connection, not the bus', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    const seeds = Array.from({ length: 60 }, (_, i) => i)
    const garbage = seeds.map((i) =>
      i % 4 === 0
        ? randomBytes(1 + i * 37)
        : i % 4 === 1
          ? Buffer.concat([hello, randomBytes(1 + i * 53)])
          : i % 4 === 2
            ? Buffer.concat([hello, Buffer.from([0, 0, 0, 40]), randomBytes(400)])
            : Buffer.concat([hello, Buffer.from([0xff, 0xff, 0xff, 0xff])]),
    )
    await Promise.all(
      garbage.map(async (bytes) => {
        const socket = connect(bus.socket)
        socket.on('error', () => {})
        socket.resume()
        socket.end(bytes)
        await once(socket, 'close')
      }),
    )
    assert.deepEqual(kinds(await client.append(SOURCE, [event('a')])), ['stored'])
    assert.equal(client.status().connected, true)
    await bus.close()
  })

  test('requests of the wrong shape are answered with an error and change nothing', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    const bad: [string, unknown][] = [
      ['append', null],
      [
        'append',
        {
          source: SOURCE,
          batch: [
            { entry: 'e', id: 'good', event: Buffer.from('x') },
            { entry: 'e', id: 5 },
          ],
        },
      ],
      ['append', { source: { namespace: 1 }, batch: [] }],
      ['appendFenced', { fence: {}, batch: [] }],
      ['claim', { source: SOURCE }],
      ['writeLease', { name: 'x', record: 'y', expected: 3 }],
      ['page', { from: 'x' }],
      ['put', { key: 'k'.repeat(5000), value: Buffer.from('x') }],
      ['__proto__', {}],
      ['constructor', {}],
      ['x'.repeat(10_000), {}],
    ]
    const socket = connect(bus.socket)
    let heard = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk as Buffer])
    })
    socket.write(hello)
    for (const [i, [operation, input]] of bad.entries()) socket.write(frame([i + 1, operation, input]))
    await until('each is answered', () => heard.toString('latin1').split('not a request').length === bad.length + 1)
    socket.destroy()
    assert.deepEqual(await readAll(client, {}), [])
    await bus.close()
  })

  test('names that cannot be stored are refused, one by one', async () => {
    const bus = await startBus()
    const client = await bus.connect()
    const odd = [
      event('a', { entry: '$own' }),
      event('b', { entry: '' }),
      event('', {}),
      event('c', { entry: 'x'.repeat(600) }),
      event('i'.repeat(2000)),
      event('good', { entry: 'with / slash . dot ü' }),
    ]
    assert.deepEqual(kinds(await client.append(SOURCE, odd)), [
      'refused',
      'refused',
      'refused',
      'refused',
      'refused',
      'stored',
    ])
    assert.deepEqual(kinds(await client.append({ namespace: 'a/b', name: 's' }, [event('x')])), ['refused'])
    assert.equal((await client.state()).entries[0]?.entry, 'with / slash . dot ü')
    await bus.close()
  })

  test('a path too long for a socket is refused with the remedy', async () => {
    const bus = await startBus()
    await bus.kill()
    const said = await bus.start({ socket: join(tmpdir(), 'x'.repeat(120)) })
    assert.equal(said.error?.code, 'USAGE')
    await bus.close()
  })
})
