import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { connectEmbedded } from '../bus/embedded/client.ts'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/log.ts'
import { startBusProcess } from './busProcess.ts'
import { whenConnected } from './whenConnected.ts'

test('a bus that answers nothing is killed and started again, in the same incarnation', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-test-'))
  const pids: number[] = []
  const bus = await startBusProcess({
    dir,
    socket: join(dir, 'bus.sock'),
    clock: systemClock,
    log: silentLogger,
    onPid: (pid) => pids.push(pid),
    frozenMs: 2500,
  })
  const client = connectEmbedded({
    socket: bus.socket,
    incarnation: bus.incarnation,
    session: 'test',
    clock: systemClock,
    log: silentLogger,
  })
  t.after(async () => {
    await client.close()
    await bus.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  await whenConnected(client)
  bus.watch(() => client.kv.get('ping'))
  await client.kv.put('a', Buffer.from('1'))
  process.kill(pids[0]!, 'SIGSTOP')
  for (let i = 0; bus.restarts === 0 || !client.status().connected; i++) {
    assert.ok(i < 1500, 'not restarted within 15 s')
    await systemClock.sleep(10)
  }
  assert.equal(pids.length, 2)
  assert.equal(Buffer.from((await client.kv.get('a'))!.value).toString(), '1')
  // its own incarnation still counts: a new one would fence this write
  assert.notEqual(await client.kv.put('a', Buffer.from('2')), null)
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
