import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../../../test/contract/bus.ts'
import { freePorts } from '../../../test/servers/process.ts'
import { startProxy } from '../../../test/servers/proxy.ts'
import { type Clock, sleepOn, systemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/log.ts'
import type { PeerAddress } from '../locks/kubernetes-lease.ts'
import { dialPeer } from './peer-dial.ts'
import { listenForPeers } from './peer-listener.ts'

const lease = 'ns/eventsource-orders'
const closing: (() => unknown)[] = []

/** A second passes in a tenth of one. */
const quickClock: Clock = {
  now: systemClock.now,
  monotonic: () => systemClock.monotonic() * 10,
  after: (ms, fn) => systemClock.after(ms / 10, fn),
  soon: systemClock.soon,
  sleep: (ms, signal) => sleepOn(quickClock, ms, signal),
}

async function startHolder(): Promise<{ child: ChildProcess; peer: PeerAddress }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./peer-listener.fixture.ts', import.meta.url)), lease])
  closing.push(() => child.kill('SIGKILL'))
  const [line] = await once(child.stdout!, 'data')
  return { child, peer: JSON.parse(String(line)) }
}

function dial(peer: PeerAddress, clock = quickClock) {
  const seen = { gone: 0, words: 0 }
  const dialled = dialPeer({ peer, lease, clock, onWord: () => seen.words++, onGone: () => seen.gone++ })
  closing.push(() => dialled.close())
  return { dialled, seen }
}

/** Relays to the holder until `turn` is called; from then on it is somebody else who listens there. */
async function startTurncoat(to: number, otherwise: (socket: Socket) => void) {
  const open = new Set<Socket>()
  let turned = false
  const server: Server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    if (turned) return otherwise(socket)
    const upstream = connect(to, '127.0.0.1')
    upstream.on('error', () => {})
    socket.pipe(upstream).pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const hangUp = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  const close = () => {
    server.close()
    hangUp()
  }
  closing.push(close)
  return {
    port: (server.address() as { port: number }).port,
    turn() {
      turned = true
      hangUp()
    },
    close,
  }
}

suite('peer link', { timeout: 60_000 }, () => {
  after(() => Promise.all(closing.map((close) => close())))

  test('kill -9 of the holder is known within milliseconds', async (t) => {
    const { child, peer } = await startHolder()
    const { dialled, seen } = dial(peer, systemClock)
    await until('linked', () => dialled.linked)
    const at = performance.now()
    child.kill('SIGKILL')
    await until('suspected', () => seen.gone === 1, 5_000)
    t.diagnostic(`kill -9 → suspicion: ${(performance.now() - at).toFixed(1)} ms`)
  })

  test('a frozen holder is not suspected, however long it lasts, and is linked to again when it wakes up', async () => {
    const { child, peer } = await startHolder()
    const { dialled, seen } = dial(peer)
    await until('linked', () => dialled.linked)
    child.kill('SIGSTOP')
    await until('the silence is noticed', () => !dialled.linked)
    await quickClock.sleep(20_000)
    assert.equal(dialled.linked, false)
    child.kill('SIGCONT')
    await until('linked again', () => dialled.linked)
    assert.equal(seen.gone, 0)
    child.kill('SIGKILL')
    await until('and a death is still seen', () => seen.gone === 1)
  })

  test('a connection that is none any more (half-open) is made anew, without suspicion', async () => {
    const { peer } = await startHolder()
    const proxy = await startProxy(peer.port)
    closing.push(() => proxy.close())
    const { dialled, seen } = dial({ ...peer, port: proxy.port })
    await until('linked', () => dialled.linked)
    proxy.faults.dropToClient = true
    await until('the silence is noticed', () => !dialled.linked)
    proxy.faults.dropToClient = false
    await until('linked again', () => dialled.linked)
    assert.equal(seen.gone, 0)
  })

  for (const [what, otherwise] of [
    ['that says nothing', () => {}],
    ['that hangs up', (socket: Socket) => socket.destroy()],
    ['that talks nonsense', (socket: Socket) => socket.write(`${'x'.repeat(10_000)}\n`)],
    [
      'that plays the holder without the key',
      (socket: Socket) => socket.write(`hello 00\nholder ${'0'.repeat(64)}\nchanged\n`),
    ],
  ] as const) {
    test(`another process on the holder's port, ${what}: neither believed nor a sign of death`, async () => {
      const { peer } = await startHolder()
      const turncoat = await startTurncoat(peer.port, otherwise)
      const { dialled, seen } = dial({ ...peer, port: turncoat.port })
      await until('linked', () => dialled.linked)
      const { words } = seen
      turncoat.turn()
      await until('lost', () => !dialled.linked)
      await quickClock.sleep(5_000)
      assert.deepEqual({ linked: dialled.linked, ...seen }, { linked: false, gone: 0, words })
    })
  }

  test('an address that refuses and never was reached, as behind a NetworkPolicy, is no sign of death', async () => {
    const [port = 0] = await freePorts(1)
    const { dialled, seen } = dial({ host: '127.0.0.1', port, key: 'k' })
    await quickClock.sleep(5_000)
    assert.deepEqual({ linked: dialled.linked, ...seen }, { linked: false, gone: 0, words: 0 })
  })

  test('a refusal long after the link was lost, as from a firewall, is no sign of death', async () => {
    const { peer } = await startHolder()
    const turncoat = await startTurncoat(peer.port, () => {})
    const { dialled, seen } = dial({ ...peer, port: turncoat.port })
    await until('linked', () => dialled.linked)
    turncoat.turn()
    await quickClock.sleep(4_000)
    turncoat.close()
    await quickClock.sleep(5_000)
    assert.deepEqual({ linked: dialled.linked, gone: seen.gone }, { linked: false, gone: 0 })
  })

  test('the holder tells its standbys, and lets no stranger in', async () => {
    const listener = await listenForPeers({ host: '127.0.0.1', port: 0, lease, clock: quickClock, log: silentLogger })
    closing.push(() => listener.close())
    const peer = listener.address as PeerAddress
    const { dialled, seen } = dial(peer)
    const wrongKey = dial({ ...peer, key: 'guessed' })
    await until('linked', () => dialled.linked)
    const strangers = ['', 'x'.repeat(300), 'standby 00 00\n', 'ping\n'].map((text) => {
      const socket = connect(peer.port, peer.host)
      socket.on('error', () => {})
      let heard = ''
      socket.on('data', (chunk) => {
        heard += chunk
      })
      socket.write(text)
      return once(socket, 'close').then(() => heard)
    })
    const { words } = seen
    listener.tell()
    await until('told', () => seen.words === words + 1)
    for (const heard of await Promise.all(strangers)) assert.match(heard, /^hello [0-9a-f]{32}\n$/)
    assert.deepEqual({ linked: wrongKey.dialled.linked, ...wrongKey.seen }, { linked: false, gone: 0, words: 0 })
    assert.equal(dialled.linked, true)
  })

  test('a taken port is no trouble; an address that cannot be had leaves the Lease alone', async () => {
    const first = await listenForPeers({ host: '127.0.0.1', port: 0, lease, clock: quickClock, log: silentLogger })
    closing.push(() => first.close())
    const { port } = first.address as PeerAddress
    const second = await listenForPeers({ host: '127.0.0.1', port, lease, clock: quickClock, log: silentLogger })
    closing.push(() => second.close())
    assert.notEqual(second.address?.port, port)
    const none = await listenForPeers({ host: '192.0.2.1', port: 0, lease, clock: quickClock, log: silentLogger })
    assert.equal(none.address, null)
    none.close()
  })
})
