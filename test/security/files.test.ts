/** What others may have put into a data directory is neither followed nor believed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { takeOver } from '../../src/bus/embedded/takeover.ts'
import { systemClock } from '../../src/core/clock.ts'
import { openFresh } from '../../src/core/own-files.ts'
import { identify } from '../../src/core/processes.ts'
import { readRecord, takeDataDir } from '../../src/local/dataDir.ts'

const isRoot = process.geteuid?.() === 0
const SOMEBODY = 12_345

function directory(t: TestContext): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'vedette-test-')))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
function sleeper(t: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', ...args], { stdio: 'ignore' })
  t.after(() => void child.kill('SIGKILL'))
  return child
}
/** Takes it, and gives it back. */
async function take(dir: string): Promise<void> {
  const taken = await takeDataDir(dir)
  await taken.update({ api: '127.0.0.1:1' })
  await taken.release()
}
const refused = (dir: string, words: RegExp) => assert.rejects(take(dir), { code: 'USAGE', message: words })

test('a directory of one’s own is taken: new, empty and open to others (then it is closed), with what an earlier run has left', async (t) => {
  const dir = directory(t)
  await take(join(dir, 'new', 'er'))
  const open = join(dir, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  await take(open)
  assert.equal(lstatSync(open).mode & 0o777, 0o700)
  writeFileSync(join(open, 'data.mdb'), 'x')
  mkdirSync(join(open, 'store.damaged-1'))
  await take(open)
  symlinkSync(open, join(dir, 'link'))
  await take(join(dir, 'link'))
  const elsewhere = join(dir, 'link', 'deeper')
  await take(elsewhere)
  assert.ok(existsSync(join(open, 'deeper')))
})

test('a directory of somebody else is refused, also by root, with what to do', async (t) => {
  const foreign = isRoot ? directory(t) : '/usr'
  if (isRoot) chownSync(foreign, SOMEBODY, SOMEBODY)
  await refused(foreign, /belongs to another user \(uid \d+, this is \d+\).*name a directory in it/)
  if (!isRoot) return
  assert.equal(lstatSync(foreign).uid, SOMEBODY)
  await take(join(foreign, 'vedette'))
})

test('one that others can write in and have perhaps written in is refused', async (t) => {
  for (const mode of [0o777, 0o770, 0o1777]) {
    const dir = directory(t)
    writeFileSync(join(dir, 'run.json'), '{}')
    chmodSync(dir, mode)
    await refused(dir, /can be written by others \(mode \d+\).*chmod go-w/)
    chmodSync(dir, 0o755)
    await take(dir)
  }
})

test('links in it are not followed, and nothing of the victim changes', async (t) => {
  for (const name of ['run.json', 'run.json.new', 'bus.pid', 'data.mdb', 'control.sock', 'store.mark.new']) {
    const victim = join(directory(t), 'victim')
    writeFileSync(victim, 'precious', { mode: 0o644 })
    const dir = directory(t)
    symlinkSync(victim, join(dir, name))
    await refused(dir, new RegExp(`${name} in the data directory is a symbolic link`))
    assert.equal(readFileSync(victim, 'utf8'), 'precious')
    assert.equal(lstatSync(victim).mode & 0o777, 0o644)
  }
})

if (isRoot) {
  test('files in it, and links on the way to it, that belong to somebody else', async (t) => {
    const dir = directory(t)
    writeFileSync(join(dir, 'run.json'), '{}')
    chownSync(join(dir, 'run.json'), SOMEBODY, SOMEBODY)
    await refused(dir, /run\.json in the data directory belongs to another user/)
    const [target, home] = [directory(t), directory(t)]
    symlinkSync(target, join(home, 'data'))
    lchownSync(join(home, 'data'), SOMEBODY, SOMEBODY)
    await refused(join(home, 'data'), /data is a symbolic link of another user/)
    await refused(join(home, 'data', 'deeper'), /data is a symbolic link of another user/)
    assert.ok(!existsSync(join(target, 'deeper')))
  })
}

test('commands follow no link to a record either', async (t) => {
  const [elsewhere, dir] = [directory(t), directory(t)]
  const supervisor = identify(process.pid)
  writeFileSync(join(elsewhere, 'x'), JSON.stringify({ supervisor, token: 't', control: '/x', children: [] }))
  symlinkSync(join(elsewhere, 'x'), join(dir, 'run.json'))
  assert.equal(await readRecord(dir), null)
})

test('a forged run.json kills nobody but processes of this run: not strangers, not those of another directory', async (t) => {
  const [dir, other] = [directory(t), directory(t)]
  const host = '/opt/vedette/src/local/host.ts'
  const strangers = [sleeper(t), sleeper(t, dir), sleeper(t, host, other)]
  const orphan = sleeper(t, host, dir)
  const children = [...strangers, orphan].map(({ pid }) => identify(pid!))
  const forged = { supervisor: { pid: 1, started: 'x' }, token: 'x', control: join(dir, 'no') }
  writeFileSync(join(dir, 'run.json'), JSON.stringify({ ...forged, children: [...children, null, { pid: '1' }, 7] }))
  await take(dir)
  assert.equal(identify(orphan.pid!), null)
  for (const { pid } of strangers) assert.notEqual(identify(pid!), null)
})

test('a forged bus.pid kills nobody but a bus process of this directory', async (t) => {
  const dir = directory(t)
  const main = '/opt/vedette/src/bus/embedded/main.ts'
  const stranger = sleeper(t)
  const orphan = sleeper(t, main, JSON.stringify({ dir, socket: 's' }))
  for (const { pid } of [stranger, orphan]) {
    writeFileSync(join(dir, 'bus.pid'), JSON.stringify(identify(pid!)))
    await takeOver(dir, systemClock)
    assert.equal(JSON.parse(readFileSync(join(dir, 'bus.pid'), 'utf8')).pid, process.pid)
  }
  assert.notEqual(identify(stranger.pid!), null)
  assert.equal(identify(orphan.pid!), null)
})

test('a file that is made anew takes the place of a link', (t) => {
  const dir = directory(t)
  const victim = join(dir, 'victim')
  writeFileSync(victim, 'precious')
  symlinkSync(victim, join(dir, 'probe'))
  const handle = openFresh(join(dir, 'probe'))
  writeFileSync(handle, 'ours')
  assert.equal(readFileSync(victim, 'utf8'), 'precious')
  assert.equal(lstatSync(join(dir, 'probe')).mode & 0o777, 0o600)
})
