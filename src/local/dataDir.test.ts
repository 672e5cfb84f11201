import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { identify } from '../core/processes.ts'
import { readRecord, takeDataDir } from './dataDir.ts'

function directory(t: { after(fn: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-test-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** The arguments of a process of the run in a directory. */
const hostOf = (dir: string) => ['/opt/vedette/src/local/host.ts', dir]

function sleeper(t: { after(fn: () => void): void }, args: string[] = []) {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', ...args], { stdio: 'ignore' })
  t.after(() => void child.kill('SIGKILL'))
  return child
}

test('the directory and its record are for the owner alone, and go when released', async (t) => {
  const dir = join(directory(t), 'data')
  const taken = await takeDataDir(dir)
  assert.equal(statSync(dir).mode & 0o777, 0o700)
  assert.equal(statSync(join(dir, 'run.json')).mode & 0o777, 0o600)
  assert.equal((await readRecord(dir))?.supervisor.pid, process.pid)
  await taken.update({ api: '127.0.0.1:1' })
  assert.equal((await readRecord(dir))?.api, '127.0.0.1:1')
  await taken.release()
  assert.equal(await readRecord(dir), null)
})

test('a directory whose run lives is refused, naming the process', async (t) => {
  const dir = directory(t)
  const child = sleeper(t)
  const record = {
    supervisor: identify(child.pid!),
    startedAt: '',
    api: '',
    token: 'x',
    control: join(dir, 'no'),
    children: [],
  }
  writeFileSync(join(dir, 'run.json'), JSON.stringify(record))
  await assert.rejects(takeDataDir(dir), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'DATA_DIR_IN_USE')
    assert.match(error.message, new RegExp(String(child.pid)))
    return true
  })
  assert.deepEqual(JSON.parse(readFileSync(join(dir, 'run.json'), 'utf8')), record)
})

test('a directory whose control socket answers is refused, whatever the process table says', async (t) => {
  const dir = directory(t)
  const control = join(dir, 'control.sock')
  const server = createServer().listen(control)
  t.after(() => void server.close())
  const supervisor = { pid: 1, started: 'in another container' }
  writeFileSync(join(dir, 'run.json'), JSON.stringify({ supervisor, token: 'x', control, children: [] }))
  await assert.rejects(takeDataDir(dir), { code: 'DATA_DIR_IN_USE' })
})

test('what a dead run left behind is killed, also when it is frozen; a process that only has its number is not', async (t) => {
  const dir = directory(t)
  const orphan = sleeper(t, hostOf(dir))
  const stranger = sleeper(t)
  orphan.kill('SIGSTOP')
  const children = [identify(orphan.pid!), { pid: stranger.pid, started: 'long ago' }]
  const supervisor = { pid: stranger.pid, started: 'long ago' }
  writeFileSync(join(dir, 'run.json'), JSON.stringify({ supervisor, token: 'x', control: join(dir, 'no'), children }))
  const taken = await takeDataDir(dir)
  assert.equal(identify(orphan.pid!), null)
  assert.notEqual(identify(stranger.pid!), null)
  await taken.release()
})

test('of many that start at once, one gets it', async (t) => {
  const dir = directory(t)
  writeFileSync(join(dir, 'run.json'), '{"broken')
  const program = `import(${JSON.stringify(new URL('./dataDir.ts', import.meta.url).href)}).then(({ takeDataDir }) =>
    takeDataDir(process.argv[1]).then(() => { console.log('got it'); setTimeout(() => {}, 1e6) }, (e) => { console.log(e.code); process.exit() }))`
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program, dir], { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  t.after(() => children.forEach((child) => void child.kill('SIGKILL')))
  const said = await Promise.all(
    children.map(
      (child) => new Promise<string>((resolve) => child.stdout!.once('data', (chunk) => resolve(String(chunk).trim()))),
    ),
  )
  assert.deepEqual(said.sort(), ['DATA_DIR_IN_USE', 'DATA_DIR_IN_USE', 'DATA_DIR_IN_USE', 'got it'])
})

test('a path too long for a socket gets one elsewhere', async (t) => {
  const dir = join(directory(t), 'x'.repeat(110))
  const taken = await takeDataDir(dir)
  assert.ok(Buffer.byteLength(taken.record.control) <= 100)
  assert.ok(Buffer.byteLength(taken.socket('bus.sock')) <= 100)
  await taken.release()
})
