/** Encryption towards NATS: whenever it is offered, a must once it is asked for, and verified as soon as there is a CA. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { NatsClient } from '../../src/clients/nats.ts'
import { type ArgoChain, argoChain } from '../argo-certificates.ts'
import { makeCertificate } from '../certificate.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { until } from './bus.ts'
import { jetStreamFor } from './jetstream.fixture.ts'

suite('NATS over TLS', { skip: without('nats-server', natsBinary('newest')), timeout: 60_000 }, () => {
  test('encrypted without being asked, verified with a CA, refused with another CA', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-tls-'))
    t.after(() => rmSync(dir, { recursive: true }))
    const { cert, key } = makeCertificate()
    writeFileSync(join(dir, 'cert.pem'), cert)
    writeFileSync(join(dir, 'key.pem'), key)
    const fixture = await jetStreamFor(t, {
      config: `tls { cert_file: "${join(dir, 'cert.pem')}", key_file: "${join(dir, 'key.pem')}" }`,
    })
    const tls = (files: { ca?: string }, insecureSkipVerify = false) => ({
      files: async () => files,
      insecureSkipVerify,
    })
    assert.equal((await fixture.open()).client.transport, 'encrypted')
    assert.equal((await fixture.open({ tls: tls({ ca: cert }) })).client.transport, 'verified')
    const other = makeCertificate().cert
    assert.equal((await fixture.open({ tls: tls({ ca: other }, true) })).client.transport, 'encrypted')
    const refused = fixture.client({ tls: tls({ ca: other }) })
    await until('the certificate is refused', () => {
      const status = refused.status()
      return !status.connected && /certificate/i.test(status.error)
    })
  })

  test('a server without TLS is used plain, unless TLS was asked for', async (t) => {
    const fixture = await jetStreamFor(t)
    assert.equal((await fixture.open()).client.transport, 'plain')
    for (const strict of [
      fixture.client({ tls: { files: async () => ({}), insecureSkipVerify: true } }),
      fixture.client({ servers: fixture.urls.map((url) => url.replace('nats:', 'tls:')) }),
    ]) {
      await until('it is refused', () => {
        const status = strict.status()
        return !status.connected && /tls/i.test(status.error) && !status.error.startsWith('connecting')
      })
    }
  })

  /** A server with a chain of Argo Events' form, which can get another one. */
  async function withChain(t: TestContext, chain: { cert: string; key: string }) {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-tls-'))
    t.after(() => rmSync(dir, { recursive: true }))
    const give = ({ cert, key }: { cert: string; key: string }) => {
      writeFileSync(join(dir, 'cert.pem'), cert)
      writeFileSync(join(dir, 'key.pem'), key)
    }
    give(chain)
    const fixture = await jetStreamFor(t, {
      config: `tls { cert_file: "${join(dir, 'cert.pem')}", key_file: "${join(dir, 'key.pem')}" }`,
    })
    return { fixture, give }
  }
  const trusting = (ca: () => string) => ({ tls: { files: async () => ({ ca: ca() }), insecureSkipVerify: false } })
  const refusal = async (client: NatsClient, of: RegExp) => {
    await until(`it is refused: ${of}`, () => {
      const status = client.status()
      return !status.connected && of.test(status.error)
    })
    await client.close()
  }

  test("Argo Events' certificate, which has its authority's name, is verified by the authority's key; no other is", async (t) => {
    const chain = argoChain()
    const { fixture, give } = await withChain(t, chain)
    const { bus, client } = await fixture.open(trusting(() => chain.ca))
    assert.equal(client.transport, 'verified')
    assert.equal(bus.status().connected, true)
    const stranger = argoChain()
    await refusal(
      fixture.client(trusting(() => stranger.ca)),
      /self-signed certificate.*no authority in caCertSecret.*has signed "O=io.argoproj"/,
    )
    const refused: [ArgoChain, RegExp][] = [
      [argoChain({ names: ['another.svc'] }), /altnames/],
      [argoChain({ lifeMs: -60_000 }), /certificate has expired/],
      [argoChain({ authorityLifeMs: -60_000 }), /no authority in caCertSecret that is valid today/],
    ]
    for (const [other, of] of refused) {
      give(other)
      await fixture.servers[0]!.signal('reload')
      await refusal(fixture.client(trusting(() => other.ca)), of)
    }
  })

  test('certificates are renewed: connections go on, and the next one is made with the new authority, without a restart', async (t) => {
    let chain = argoChain()
    const { fixture, give } = await withChain(t, chain)
    const { client } = await fixture.open(trusting(() => chain.ca))
    const self = makeCertificate('localhost', { rsa: true })
    for (const next of [argoChain(), { ...self, ca: self.cert }, argoChain()]) {
      chain = next
      give(chain)
      await fixture.servers[0]!.signal('reload')
      assert.equal(client.status().connected, true)
      await fixture.servers[0]!.kill()
      await until('it is noticed', () => !client.status().connected)
      await fixture.servers[0]!.restart()
      await until('it is back', () => client.status().connected, 20_000)
      assert.equal(client.transport, 'verified')
    }
  })

  test('nothing is said to a server whose certificate is not that of the authority', async (t) => {
    const [{ cert, key }, other] = [argoChain(), argoChain()]
    let [heard, connections] = ['', 0]
    const impostor = createServer((socket) => {
      connections++
      socket.on('error', () => {})
      socket.write(
        'INFO {"server_id":"x","version":"2.10.29","tls_required":true,"headers":true,"max_payload":1048576}\r\n',
      )
      const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ cert, key }) })
      secure
        .on('data', (chunk) => {
          heard += chunk
        })
        .on('error', () => {})
    })
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
    t.after(() => impostor.close())
    const fixture = await jetStreamFor(t)
    const options = (insecureSkipVerify: boolean) => ({
      servers: [`nats://127.0.0.1:${(impostor.address() as { port: number }).port}`],
      credentials: async () => ({ user: 'me', pass: 'secret' }),
      tls: { files: async () => ({ ca: other.ca }), insecureSkipVerify },
    })
    const careless = fixture.client(options(true))
    await until('who does not verify says it all', () => /CONNECT .*secret/.test(heard))
    await careless.close()
    heard = ''
    connections = 0
    const client = fixture.client(options(false))
    await until('it was tried again and again', () => connections > 6)
    assert.equal(heard, '')
    await refusal(client, /self-signed certificate/)
  })
})
