import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { until } from '../../test/contract/bus.ts'
import { connectEmbedded } from '../bus/embedded/client.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import { type BusProcessOptions, startBusProcess } from './busProcess.ts'
import { whenConnected } from './whenConnected.ts'

/** A bus of its own, ended and removed with its store when the test ends. `pids` are those of its processes, in their order. */
async function started(t: TestContext, { onPid = () => {}, ...options }: Partial<BusProcessOptions>) {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-test-'))
  const pids: number[] = []
  const bus = await startBusProcess({
    ...{ dir, socket: join(dir, 'bus.sock'), clock: systemClock, log: silentLogger, ...options },
    onPid(pid) {
      pids.push(pid)
      onPid(pid)
    },
  })
  /** What ends before the bus does. */
  const ends: (() => Promise<void>)[] = []
  t.after(async () => {
    for (const end of ends) await end()
    await bus.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  return { bus, pids, ends }
}

/** Freezes the second process before it has said a word. */
function hangingSecond(): (pid: number) => void {
  let count = 0
  return (pid) => {
    if (++count === 2) process.kill(pid, 'SIGSTOP')
  }
}

test('a bus that answers nothing is killed and started again, in the same incarnation', async (t) => {
  const { bus, pids, ends } = await started(t, { frozenMs: 2500 })
  const client = connectEmbedded({
    socket: bus.socket,
    incarnation: bus.incarnation,
    session: 'test',
    clock: systemClock,
    log: silentLogger,
  })
  ends.push(() => client.close())
  await whenConnected(client)
  bus.watch(() => client.kv.get('ping'))
  await client.kv.put('a', Buffer.from('1'))
  process.kill(pids[0]!, 'SIGSTOP')
  await until('restarted', () => bus.restarts > 0 && client.status().connected, 60_000)
  assert.equal(pids.length, 2)
  assert.equal(Buffer.from((await client.kv.get('a'))!.value).toString(), '1')
  // its own incarnation still counts: a new one would fence this write
  assert.notEqual(await client.kv.put('a', Buffer.from('2')), null)
})

test('a bus that hangs in its start is killed and started again; what is the trouble is said', async (t) => {
  const errors: string[] = []
  const { bus, pids } = await started(t, {
    log: { ...silentLogger, error: (message, fields) => errors.push(`${message}: ${messageOf(fields?.error)}`) },
    onPid: hangingSecond(),
    silentMs: 8_000,
  })
  assert.equal(bus.trouble, null)
  process.kill(pids[0]!, 'SIGKILL')
  await until('it is said that there is no bus', () => bus.trouble !== null)
  assert.match(bus.trouble!, /the bus process ended \(SIGKILL\)/)
  await until('it runs again', () => bus.trouble === null, 60_000)
  assert.ok(pids.length >= 3, `${pids.length} processes`)
  assert.equal(bus.pid, pids.at(-1))
  assert.match(errors[1]!, /said nothing of its start for 8 s and was killed \(last: it has said nothing yet\)/)
  assert.throws(() => process.kill(pids[1]!, 0), 'the one that hung is gone')
})

test('a bus that is killed in its first start, or hangs there, is started again', async (t) => {
  const signals: NodeJS.Signals[] = ['SIGKILL', 'SIGSTOP', 'SIGTERM']
  const { bus, pids } = await started(t, {
    silentMs: 2_000,
    onPid(pid) {
      const signal = signals.shift()
      if (signal !== undefined) process.kill(pid, signal)
    },
  })
  assert.equal(pids.length, 4)
  assert.equal(bus.pid, pids.at(-1))
  assert.equal(bus.trouble, null)
})

test('stopped while the bus hangs in its start: that process is ended, too', async (t) => {
  const { bus, pids } = await started(t, { onPid: hangingSecond(), stopPatienceMs: 500 })
  process.kill(pids[0]!, 'SIGKILL')
  await until('the second is there', () => pids.length === 2)
  await bus.stop()
  assert.throws(() => process.kill(pids[1]!, 0), 'the one that hung is gone')
})

test('a store that cannot be opened is said, not tried for ever', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-test-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'file'), '')
  await assert.rejects(
    startBusProcess({
      dir: join(dir, 'file', 'store'),
      socket: join(dir, 'bus.sock'),
      clock: systemClock,
      log: silentLogger,
      onPid: () => {},
    }),
    (error: Error) => error.message.length > 10,
  )
})
