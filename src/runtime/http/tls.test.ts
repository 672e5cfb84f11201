import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, test } from 'node:test'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { makeCertificate } from '../../../test/certificate.ts'
import { listen, serve, until } from '../../../test/http-routes.ts'
import { freePort, rawConnect, rawRequest } from '../../../test/raw-http.ts'
import { clientHello } from '../../../test/security/listener/handshake.ts'
import { fail } from '../../core/errors.ts'
import { silentLogger } from '../../core/log.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

const tls = { cert: { name: 'tls', key: 'crt' }, key: { name: 'tls', key: 'key' } }

/** Secrets that a test can change. */
const store = () => {
  const values = { ...makeCertificate(), fails: false }
  const secret = async ({ key }: { key: string }) => {
    if (values.fails) throw fail('SECRET_MISSING', 'gone')
    return key === 'crt' ? values.cert : values.key
  }
  return { values, secret }
}

const shown = async (port: number): Promise<string> => {
  const connection = await rawConnect(port, { rejectUnauthorized: false })
  const { fingerprint256 } = (connection.socket as TLSSocket).getPeerCertificate()
  connection.end()
  return fingerprint256
}
const fingerprint = (cert: string) => new X509Certificate(cert).fingerprint256

test('TLS with the given certificate, verified by a client', async () => {
  const port = await freePort()
  const { values, secret } = store()
  await serve(listen(cleanUps), { port, tls }, { secret })
  const reply = await rawRequest(port, 'POST /x HTTP/1.1', '{}', { ca: values.cert, servername: 'localhost' })
  assert.deepEqual([reply.status, reply.body], [200, 'ok'])
})

test('a changed certificate is shown to new connections; open ones go on; a broken one is not taken', async () => {
  const port = await freePort()
  const { values, secret } = store()
  const errors: string[] = []
  const log = { ...silentLogger, error: (message: string) => void errors.push(message) }
  await serve(listen(cleanUps, { reloadMs: 20 }, log), { port, tls }, { secret })
  const open = await rawConnect(port, { rejectUnauthorized: false })
  const before = fingerprint(values.cert)
  assert.equal(await shown(port), before)

  Object.assign(values, makeCertificate())
  await until(async () => (await shown(port)) === fingerprint(values.cert), 'the new certificate')
  open.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
  assert.equal((await open.reply()).status, 200)
  open.end()

  const good = fingerprint(values.cert)
  values.key = makeCertificate().key
  await until(() => errors.length > 0, 'a complaint about the broken one')
  assert.match(errors[0]!, /keeps its certificate: .*both must be PEM and belong together/)
  assert.equal(await shown(port), good)
  values.fails = true
  await until(() => errors.length > 1, 'a complaint about the missing one')
  assert.equal(await shown(port), good)
  Object.assign(values, makeCertificate(), { fails: false })
  await until(async () => (await shown(port)) === fingerprint(values.cert), 'the certificate after the broken one')
})

test('a certificate that cannot be used is an error that names the Secret and shows no key', async () => {
  const port = await freePort()
  const { values, secret } = store()
  const { key } = values
  values.cert = 'no certificate'
  await assert.rejects(serve(listen(cleanUps), { port, tls }, { secret }), (error: Error & { code: string }) => {
    assert.equal(error.code, 'SPEC_INVALID')
    assert.match(error.message, /certificate in Secret tls\/crt and the key in tls\/key cannot be used/)
    assert.ok(!error.message.includes(key.slice(40, 80)))
    return true
  })
  values.fails = true
  await assert.rejects(serve(listen(cleanUps), { port, tls }, { secret }), { code: 'SECRET_MISSING' })
})

test('all entries of a port have the same certificate, or none', async () => {
  const port = await freePort()
  const { secret } = store()
  const listeners = listen(cleanUps)
  await serve(listeners, { port, tls }, { secret, owner: 'a' })
  await serve(listeners, { port, tls, endpoint: '/same' }, { secret, owner: 'b' })
  await assert.rejects(serve(listeners, { port, endpoint: '/plain' }, { owner: 'c' }), {
    code: 'PORT_IN_USE',
    message: `port ${port} is served with its certificate for a, so c cannot have it without TLS: all entries on a port need the same certificate, or none; give one of them another port`,
  })
  const other = store()
  await assert.rejects(serve(listeners, { port, tls, endpoint: '/other' }, { secret: other.secret, owner: 'c' }), {
    code: 'PORT_IN_USE',
  })
})

test('an entry alone on its port can turn TLS on and off', async () => {
  const port = await freePort()
  const { secret } = store()
  const listeners = listen(cleanUps)
  const insecure = { rejectUnauthorized: false }
  await serve(listeners, { port })
  await serve(listeners, { port, tls }, { secret })
  assert.equal((await rawRequest(port, 'GET /x HTTP/1.1', undefined, insecure)).status, 200)
  await serve(listeners, { port })
  assert.equal((await rawRequest(port, 'GET /x HTTP/1.1')).status, 200)
  assert.ok(listeners.ready())
})

test('whoever speaks something else to a TLS port is cut off, others are served', async () => {
  const port = await freePort()
  const { secret } = store()
  const listeners = listen(cleanUps, { headersTimeoutMs: 200, checkTimeoutsMs: 50 })
  await serve(listeners, { port, tls }, { secret })
  const plain = await rawConnect(port)
  plain.send('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
  await plain.closed()
  const silent = await rawConnect(port)
  await silent.closed()
  assert.equal((await rawRequest(port, 'GET /x HTTP/1.1', undefined, { rejectUnauthorized: false })).status, 200)
  const shaken = await rawConnect(port, { rejectUnauthorized: false })
  await listeners.drain(5000)
  await shaken.closed()
})

test('a client that asks for another handshake is refused it, with a renewed certificate too', async () => {
  const port = await freePort()
  const { values, secret } = store()
  await serve(listen(cleanUps, { reloadMs: 20 }), { port, tls }, { secret })
  const again = async (): Promise<string> => {
    const connection = await rawConnect(port, { rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
    const socket = connection.socket as TLSSocket
    return await new Promise((resolve) => {
      socket.on('error', (error) => resolve(error.message))
      socket.renegotiate({}, (error) => resolve(error?.message ?? 'done'))
    })
  }
  assert.match(await again(), /no.renegotiation/)
  Object.assign(values, makeCertificate())
  await until(async () => (await shown(port)) === fingerprint(values.cert), 'the new certificate')
  assert.match(await again(), /no.renegotiation/)
})

test('handshakes that are not done: beyond the limit those of whoever has the most are closed, and others finish theirs', async () => {
  const port = await freePort()
  const { secret } = store()
  await serve(listen(cleanUps, { maxHandshakes: 20 }), { port, tls }, { secret })
  const hello = await clientHello()
  const half = (localAddress: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    cleanUps.push(() => socket.destroy())
    socket.on('error', () => {})
    socket.write(hello)
    socket.resume()
    return socket
  }
  const honest = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  await once(honest, 'connect')
  const attackers = Array.from({ length: 60 }, () => half('127.0.0.3'))
  await until(() => attackers.filter(({ closed }) => closed).length >= 40, 'the oldest are closed')
  const shaken = tlsConnect({ socket: honest, rejectUnauthorized: false })
  await once(shaken, 'secureConnect')
  shaken.write('GET /x HTTP/1.1\r\nHost: h\r\n\r\n')
  const [answer] = await once(shaken, 'data')
  assert.match(String(answer), /^HTTP\/1\.1 200/)
  shaken.destroy()
  assert.ok(
    attackers.some(({ closed }) => !closed),
    'no more than needed',
  )
})

test('413 arrives over TLS too', async () => {
  const port = await freePort()
  const { secret } = store()
  await serve(listen(cleanUps), { port, tls, maxPayloadSize: 10 }, { secret })
  const connection = await rawConnect(port, { rejectUnauthorized: false })
  connection.send('POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n')
  for (let i = 0; i < 20; i++) connection.send(Buffer.alloc(100_000))
  assert.equal((await connection.reply()).status, 413)
  connection.end()
})
