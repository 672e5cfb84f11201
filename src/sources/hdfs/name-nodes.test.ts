/** Two real name nodes: failover as an operator does it, one that is cut off and does not know, HTTPS. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { makeCertificate } from '../../../test/certificate.ts'
import { goneOn, keepServing, said, serveHdfs, tells, told } from '../../../test/hdfs-source.ts'
import { without } from '../../../test/servers/cache.ts'
import { hadoopJars } from '../../../test/servers/hdfs.ts'
import { type NameNodePair, startNameNodes } from '../../../test/servers/name-nodes.ts'

suite('with two name nodes', { skip: without('Hadoop', hadoopJars()) }, () => {
  let pair: NameNodePair
  before(async () => {
    pair = await startNameNodes({ tls: true })
    await pair.nodes[0].call('PUT', '/in/first', 'op=MKDIRS')
  })
  after(() => pair?.close())
  const urls = () => pair.nodes.map(({ url }) => url)
  const make = (i: 0 | 1, name: string) => pair.nodes[i].call('PUT', `/in/${name}`, 'op=MKDIRS')

  test('HTTPS: the authority, a wrong one, none, and a certificate of the client', async (t) => {
    const { ca, cert, key } = pair.tls
    const secrets = { 's/ca': ca, 's/cert': cert, 's/key': key, 's/other': makeCertificate('other').cert }
    const secret = (name: string) => ({ name: 's', key: name })
    const [active, standby] = pair.nodes.map(({ secureUrl }) => secureUrl) as [string, string]
    const serve = (url: string, tls?: object) => serveHdfs(t, url, tls === undefined ? {} : { tls }, { secrets })
    const caCertSecret = secret('ca')
    const client = { clientCertSecret: secret('cert'), clientKeySecret: secret('key') }

    for (const tls of [{ caCertSecret }, { caCertSecret, ...client }, { insecureSkipVerify: true }])
      await tells(serve(active, tls), ['1 /in/first'])
    assert.match(await said(serve(active)), /^TLS: 127\.0\.0\.1:\d+: self-signed certificate/)
    const wrong = serve(active, { caCertSecret: secret('other') })
    assert.match(await said(wrong), /^TLS: 127\.0\.0\.1:\d+: self-signed certificate/)
    assert.match(await said(serve(active, { caCertSecret: secret('key') })), /holds no PEM certificate/)
    assert.match(await said(serve(active, { caCertSecret: secret('missing') })), /no secret s\/missing/)
    // The other one lets nobody in whose certificate it does not know; behind that it says that it stands by.
    assert.match(await said(serve(standby, { caCertSecret })), /^TLS: 127\.0\.0\.1:\d+: .*certificate of the client/)
    assert.match(await said(serve(standby, { caCertSecret, ...client })), /is a standby$/)
    // HTTPS where plain HTTP is spoken.
    const plain = serve(pair.nodes[0].url.replace('http:', 'https:'), { caCertSecret })
    assert.match(await said(plain), /^TLS: 127\.0\.0\.1:\d+: .*(wrong version number|packet length too long)/)
  })

  test('a failover, an active one that is killed, both down: nothing lost, nothing twice, and the words for each', async (t) => {
    const [one, other] = pair.nodes
    const kept = keepServing(t, urls())
    await kept.tells('1 /in/first')
    await pair.failover(1)
    await make(1, 'second')
    await kept.tells('1 /in/second')
    // Written and killed at once: perhaps before a look.
    await make(1, 'third')
    await other.server.kill()
    await kept.says(/^TCP: 127\.0\.0\.1:\d+: nothing listens there \(ECONNREFUSED\); 127\.0\.0\.1:\d+ is a standby$/)
    await pair.failover(0)
    await kept.tells('1 /in/third')
    await one.server.kill()
    await kept.says(
      /^TCP: .*: nothing listens there \(ECONNREFUSED\); TCP: .*: nothing listens there \(ECONNREFUSED\)$/,
    )
    await Promise.all([one.start(), other.start()])
    await kept.says(/^no name node is active: 127\.0\.0\.1:\d+ is a standby; 127\.0\.0\.1:\d+ is a standby$/)
    await pair.failover(0)
    await make(0, 'fourth')
    await kept.tells('1 /in/fourth')
    await kept.stop()
    assert.deepEqual(
      kept.told(),
      ['first', 'second', 'third', 'fourth'].map((name) => `1 /in/${name}`),
    )
  })

  test('one that was stopped while the other was made active answers from an old tree, and is not asked', async (t) => {
    const [one, other] = pair.nodes
    await make(0, 'fifth')
    one.server.freeze()
    await pair.force(1)
    await make(1, 'sixth')
    const first = serveHdfs(t, [other.url, one.url])
    await tells(first, ['1 /in/fifth', '1 /in/sixth'])
    await first.stop()
    one.server.thaw()
    // It does not know, and has not seen the last one.
    const old = JSON.stringify(await one.call('GET', '/in', 'op=LISTSTATUS'))
    assert.deepEqual([old.includes('fifth'), old.includes('sixth')], [true, false])
    const second = serveHdfs(t, [one.url, other.url], {}, goneOn(first))
    await make(1, 'seventh')
    await tells(second, ['1 /in/seventh'])
    assert.deepEqual(told(second), ['1 /in/seventh'])
  })
})
