/** The proxy itself: a fault that it does not make would let a fault test pass that tests nothing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startProxy, type TcpProxy } from './proxy.ts'

/** A server that sends back what it gets, behind a proxy. */
async function echoing(t: TestContext): Promise<{ proxy: TcpProxy; atServer: Socket[] }> {
  const atServer: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    atServer.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await startProxy((server.address() as AddressInfo).port)
  t.after(async () => {
    await proxy.close()
    for (const socket of atServer) socket.destroy()
    server.close()
  })
  return { proxy, atServer }
}

async function client(
  t: TestContext,
  { port }: TcpProxy,
  says: string,
): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect({ port, host: '127.0.0.1' })
  t.after(() => socket.destroy())
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(says)
  return { socket, heard: () => heard }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`not in time: ${what}`)
    await pause(5)
  }
}

test('it forwards, and delays in each direction', async (t) => {
  const { proxy } = await echoing(t)
  const { socket, heard } = await client(t, proxy, 'one')
  await until('one is back', () => heard() === 'one')
  proxy.faults.delayMs = 150
  const sentMs = performance.now()
  socket.write('two')
  await until('two is back', () => heard() === 'onetwo')
  assert.ok(performance.now() - sentMs >= 295)
})

test('it throttles', async (t) => {
  const { proxy } = await echoing(t)
  proxy.faults.bytesPerSecond = 100_000
  const sentMs = performance.now()
  const { heard } = await client(t, proxy, 'x'.repeat(30_000))
  await until('all is back', () => heard().length === 30_000)
  assert.ok(performance.now() - sentMs >= 290)
})

test('a black hole swallows what is sent, and the end, and the connection stays open', async (t) => {
  const { proxy, atServer } = await echoing(t)
  const { socket, heard } = await client(t, proxy, 'one')
  await until('one is back', () => heard() === 'one')
  proxy.faults.dropToServer = true
  socket.write('two')
  socket.resetAndDestroy()
  await pause(100)
  assert.equal(atServer[0]!.destroyed, false)
  assert.equal(atServer[0]!.readableEnded, false)
  assert.equal(atServer[0]!.bytesRead, 3)
})

test('what is held goes on later, in order', async (t) => {
  const { proxy } = await echoing(t)
  const { socket, heard } = await client(t, proxy, 'one')
  await until('one is back', () => heard() === 'one')
  proxy.faults.holdToServer = true
  socket.write('two')
  await pause(100)
  socket.write('three')
  assert.equal(heard(), 'one')
  proxy.faults.holdToServer = false
  await until('all is back', () => heard() === 'onetwothree')
})

test('cut and refused, one client of several: the others notice nothing', async (t) => {
  const { proxy } = await echoing(t)
  const bad = await client(t, proxy, '"name":"bad"')
  const good = await client(t, proxy, '"name":"good"')
  await until('both are known', () => bad.heard() !== '' && good.heard() !== '')
  assert.deepEqual([proxy.connections(), proxy.connections('"bad"')], [2, 1])
  proxy.faultsOf('"bad"').refuse = true
  proxy.cut('"bad"')
  await until('it is cut', () => bad.socket.destroyed)
  const again = await client(t, proxy, '"name":"bad"')
  await until('it is refused', () => again.socket.destroyed)
  good.socket.write('!')
  await until('the other is served', () => good.heard().endsWith('!'))
  assert.equal(proxy.connections(), 1)
})
