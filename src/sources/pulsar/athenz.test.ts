/** Login by Athenz against a double of ZTS that verifies signatures, and what a broker is told. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { makeCertificate } from '../../../test/certificate.ts'
import { serveInHarness } from '../../../test/harness.ts'
import { systemClock } from '../../core/clock.ts'
import pulsar from '../pulsar.ts'
import { athenzLogin } from './athenz.ts'
import { loadCodec } from './commands.ts'
import { frameReader } from './entry.ts'

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Gives out tokens `role-1`, `role-2`… that are good for an hour. @param refused what is wrong with a request, or null */
function zts(refused: (request: IncomingMessage) => string | null, nowMs: () => number = Date.now) {
  const paths: string[] = []
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    paths.push(request.url!)
    const message = refused(request)
    response.writeHead(message === null ? 200 : 401, { 'content-type': 'application/json' })
    const token = { token: `role-${paths.length}`, expiryTime: Math.floor(nowMs() / 1_000) + 3_600 }
    response.end(JSON.stringify(message === null ? token : { code: 401, message }))
  }
  return { paths, handle }
}

/** What is wrong with a principal token. */
function problemOf(token: string, publicKey: string, nowMs: number): string | null {
  const [text = '', signature = ''] = token.split(';s=')
  const bytes = Buffer.from(signature.replaceAll('.', '+').replaceAll('_', '/').replaceAll('-', '='), 'base64')
  if (!verify('sha256', Buffer.from(text), publicKey, bytes)) return 'the signature is wrong'
  const fields = Object.fromEntries(text.split(';').map((field) => field.split('=')))
  if (fields.v !== 'S1' || fields.d !== 'tenant' || fields.n !== 'reader' || fields.k !== '7') return text
  if (!/^[0-9a-f]{16}$/.test(fields.a)) return 'no salt'
  return Number(fields.t) * 1_000 <= nowMs && nowMs < Number(fields.e) * 1_000 ? null : 'expired'
}

const named = { providerDomain: 'provider', tenantDomain: 'tenant', tenantService: 'reader', keyId: '7' }
const pem = { type: 'pkcs8', format: 'pem' } as const
const spki = { type: 'spki', format: 'pem' } as const
const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: pem, publicKeyEncoding: spki }),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding: pem, publicKeyEncoding: spki }),
}
const signal = new AbortController().signal

for (const [kind, { privateKey, publicKey }] of Object.entries(pairs)) {
  test(`a role token for a principal token signed with ${kind}: kept, and renewed before it expires`, async (t) => {
    let nowMs = Date.now()
    const { paths, handle } = zts(
      ({ headers }) => problemOf(String(headers['x-principal']), publicKey, nowMs),
      () => nowMs,
    )
    const port = await listening(t, createHttp(handle))
    const params = {
      ...named,
      ztsUrl: `http://127.0.0.1:${port}/`,
      principalHeader: 'X-Principal',
      roleHeader: 'X-Role',
    }
    const clock = { ...systemClock, now: () => nowMs }
    const login = athenzLogin({ params, privateKey: async () => privateKey, clock, signal })
    assert.deepEqual(await login(), { method: 'athenz', data: 'role-1', headers: { 'X-Role': 'role-1' } })
    nowMs += 49 * 60_000
    assert.equal((await login()).data, 'role-1')
    nowMs += 2 * 60_000
    assert.equal((await login()).data, 'role-2')
    const path = '/zts/v1/domain/provider/token?minExpiryTime=7200&maxExpiryTime=86400'
    assert.deepEqual(paths, [path, path])
  })
}

test('by certificate, through a proxy; files that a parameter names', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-athenz-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const { cert, key } = makeCertificate()
  writeFileSync(join(dir, 'cert.pem'), cert)
  const { handle } = zts(({ socket, headers }) => {
    const subject = (socket as TLSSocket).getPeerCertificate().subject?.CN
    return subject === 'localhost' && headers['athenz-principal-auth'] === undefined ? null : `not ${subject}`
  })
  const port = await listening(t, createHttps({ cert, key, ca: cert, requestCert: true }, handle))
  const tunnels: string[] = []
  const proxy = createHttp().on('connect', ({ url }, socket) => {
    tunnels.push(url!)
    const upstream = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
    for (const one of [socket, upstream]) one.on('error', () => {})
    upstream.pipe(socket).pipe(upstream)
  })
  const proxyPort = await listening(t, proxy)
  const params = {
    providerDomain: 'provider',
    ztsUrl: `https://localhost:${port}`,
    x509CertChain: `file://${dir}/cert.pem`,
    caCert: `data:application/x-pem-file;base64,${Buffer.from(cert).toString('base64')}`,
  }
  const of = (more: object) =>
    athenzLogin({ params: { ...params, ...more }, privateKey: async () => key, clock: systemClock, signal })()
  assert.equal((await of({})).data, 'role-1')
  assert.deepEqual(tunnels, [])
  const through = await of({ ztsProxyUrl: `http://127.0.0.1:${proxyPort}` })
  assert.deepEqual([through.data, tunnels], ['role-2', [`localhost:${port}`]])
  await assert.rejects(of({ caCert: '' }), /self.signed/)
  await assert.rejects(of({ x509CertChain: `${dir}/none` }), /authAthenzParams\.x509CertChain: .*ENOENT/)
  await assert.rejects(of({ x509CertChain: 'http://h/c' }), /http: cannot be read: write file:/)
})

test('a broker gets the role token; what ZTS or the key is wrong in is said, without the key', async (t) => {
  const { privateKey, publicKey } = pairs.ec
  const { handle } = zts(({ headers }) => problemOf(String(headers['athenz-principal-auth']), publicKey, Date.now()))
  const ztsPort = await listening(t, createHttp(handle))
  const codec = await loadCodec()
  const greetings: string[] = []
  const broker = createServer((socket) => {
    socket.on('error', () => {})
    const feed = frameReader(codec, ({ command }) => {
      if (command.name === 'connect')
        greetings.push(`${command.body.authMethod} ${Buffer.from(command.body.authData ?? []).toString()}`)
      socket.destroy()
    })
    socket.on('data', feed)
  })
  const url = `pulsar://127.0.0.1:${await listening(t, broker)}`
  const ended = (key: string, params: object = {}) => {
    const spec = {
      ...{ url, topics: ['t'], type: 'exclusive', authAthenzSecret: { name: 's', key: 'k' } },
      authAthenzParams: { ...named, ztsUrl: `http://127.0.0.1:${ztsPort}`, ...params },
    }
    const harness = serveInHarness(pulsar, spec, { secrets: { 's/k': key } })
    t.after(() => harness.stop())
    return new Promise<unknown>((resolve) => harness.onEnd(resolve)).then(String)
  }
  assert.match(await ended(privateKey), /127\.0\.0\.1:\d+: the broker has closed the connection/)
  assert.deepEqual(greetings, ['athenz role-1'])
  assert.match(await ended(pairs.rsa.privateKey), /answered 401: the signature is wrong.*Athenz does not know the key/)
  const wrong = await ended(privateKey.replace('PRIVATE', 'SECRET'))
  assert.match(wrong, /the private key of Athenz is no PEM key/)
  assert.doesNotMatch(wrong, new RegExp(privateKey.split('\n')[1]!.slice(0, 10)))
  assert.match(await ended(privateKey, { ztsUrl: 'http://127.0.0.1:1' }), /127\.0\.0\.1:1 does not answer/)
})
