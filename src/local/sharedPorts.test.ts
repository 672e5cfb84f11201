import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import test from 'node:test'
import { createSharedPorts } from './sharedPorts.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

const refused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(false)).on('error', () => resolve(true))
    socket.on('connect', () => socket.destroy())
  })

test('a port in use is an error each time it is asked for, and free again later', async () => {
  const ports = createSharedPorts()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  for (let i = 0; i < 3; i++) await assert.rejects(ports.open(0, port, '127.0.0.1'), { code: 'EADDRINUSE' })
  taken.close()
  await once(taken, 'close')
  await ports.open(0, port, '127.0.0.1')
  ports.leave(0)
  await assert.rejects(ports.open(0, port, '192.0.2.1'), { code: 'EADDRNOTAVAIL' })
  await assert.rejects(ports.open(0, port, 'no.such.host.invalid'), (error: { code: string }) =>
    /ENOTFOUND|EAI_AGAIN/.test(error.code),
  )
})

test('the socket stays open while somebody listens or is expected back, and not longer', async (t) => {
  const ports = createSharedPorts()
  const port = await freePort()
  const server: Server = createServer((socket) => socket.destroy())
  server.listen(await ports.open(0, port, 'localhost'))
  await once(server, 'listening')
  t.after(() => void server.close())
  await ports.open(1, port, 'localhost')
  ports.close(1, port)
  assert.equal(await refused(port), false)
  ports.suspend(0)
  await Promise.resolve()
  assert.equal(await refused(port), false)
  ports.settle(1)
  assert.equal(await refused(port), false)
  // the process is back and no longer wants the port; here its socket is the same as the supervisor's
  ports.settle(0)
  for (let i = 0; !(await refused(port)); i++) assert.ok(i < 1000)
})
