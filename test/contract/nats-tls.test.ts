/** Encryption towards NATS: whenever it is offered, a must once it is asked for, and verified as soon as there is a CA. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
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
})
