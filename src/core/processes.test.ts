import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { identify, isAlive, isOfRun, killForGood } from './processes.ts'

function sleeper(t: { after(fn: () => void): void }, ...args: string[]) {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', ...args], { stdio: 'ignore' })
  t.after(() => void child.kill('SIGKILL'))
  return child
}
const HOST = '/opt/vedette/dist/local/host.js'
const BUS = '/opt/vedette/src/bus/embedded/main.ts'

test('a process is known by its id and its start', async (t) => {
  const child = sleeper(t, HOST, '/data')
  const identity = identify(child.pid!)!
  assert.equal(isAlive(identity), true)
  assert.equal(isAlive({ ...identity, started: 'x' }), false)
  assert.equal(await killForGood(identity, '/data'), true)
  assert.equal(identify(child.pid!), null)
  for (const none of [0, -1, Number.NaN, 2 ** 40]) assert.equal(identify(none), null)
})

test('it is one of a run when it runs a program of ours for its directory; another is not killed', async (t) => {
  const ours = [sleeper(t, HOST, '/da ta'), sleeper(t, BUS, JSON.stringify({ dir: '/da ta', socket: 's' }))]
  const others = [
    sleeper(t),
    sleeper(t, '/da ta'),
    sleeper(t, HOST, '/da ta2'),
    sleeper(t, BUS, JSON.stringify({ dir: '/da ta/x', socket: 's' })),
    sleeper(t, '/opt/other/local/host.ts2', '/da ta'),
  ]
  for (const { pid } of ours) assert.ok(isOfRun(identify(pid!)!, '/da ta'))
  for (const { pid } of others) {
    assert.equal(await killForGood(identify(pid!)!, '/da ta'), true)
    assert.notEqual(identify(pid!), null)
  }
})
