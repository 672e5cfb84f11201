/**
 * Addresses behind proxies: what a stranger says of himself gains him nothing, and behind a proxy that is trusted each sender has his own share. Who
 * floods and who is honest send to the same route, whose bus is slow: there is room for a thousand requests of one sender.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import type { Attack } from './listener/attacker.ts'
import { type Sender, sendHonestly } from './listener/honest.ts'
import { slowBus, type Target } from './listener/target.ts'

const PROXY = '127.0.0.77'
/** Of a handler that takes two seconds. */
const FOR_MS = 3_000
const flood = { kind: 'requests at work' as const, path: '/open', sockets: 1_500 }

let target: Target
before(async () => {
  target = await slowBus([PROXY])
})
after(() => target?.close())

/** @returns the share of the honest sender's requests that were answered 200 */
async function beside(attack: Partial<Attack>, honest: Partial<Sender>): Promise<number> {
  const { port } = target
  const attacker = spawn(
    process.execPath,
    [new URL('./listener/attacker.ts', import.meta.url).pathname, JSON.stringify([{ ...flood, port, ...attack }])],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  try {
    await once(attacker, 'message', { signal: AbortSignal.timeout(30_000) })
    const sender: Sender = { name: 'honest', port, path: '/open', keepAlive: true, ...honest }
    const [seen] = await sendHonestly([sender], FOR_MS)
    return seen!.good.length / (seen!.good.length + seen!.bad.length)
  } finally {
    attacker.kill('SIGKILL')
    await once(attacker, 'exit')
  }
}

test('one who sends under a thousand made-up addresses is one, and does not keep others out', async () => {
  assert.equal(await beside({ from: '127.0.0.3', forwardedFor: '*' }, { from: '127.0.0.4' }), 1)
})

test('nor by naming an honest one: that one has his own room still', async () => {
  assert.equal(await beside({ from: '127.0.0.3', forwardedFor: '127.0.0.4' }, { from: '127.0.0.4' }), 1)
})

test('behind a trusted proxy one who floods keeps nobody out who comes through the same proxy', async () => {
  const flooded = await beside(
    { from: PROXY, forwardedFor: '203.0.113.9' },
    { from: PROXY, forwardedFor: '198.51.100.7' },
  )
  assert.equal(flooded, 1)
})

test('what somebody writes before the hop of the proxy is not believed', async () => {
  const flooded = await beside(
    { from: PROXY, forwardedFor: '198.51.100.7, 203.0.113.9' },
    { from: PROXY, forwardedFor: '198.51.100.7' },
  )
  assert.equal(flooded, 1)
})

test('a proxy that is not trusted is one sender: whoever comes through it shares its room', async () => {
  const flooded = await beside(
    { from: '127.0.0.78', forwardedFor: '203.0.113.9' },
    { from: '127.0.0.78', forwardedFor: '198.51.100.7' },
  )
  assert.ok(flooded < 1, `${flooded}`)
})
