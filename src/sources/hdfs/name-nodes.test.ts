/** Two real name nodes, and HttpFS before them: HTTPS, names and users that are hard, failover as an operator does it, one that is cut off and does not know. */

import assert from 'node:assert/strict'
import { after, before, suite, type TestContext, test } from 'node:test'
import { makeCertificate } from '../../../test/certificate.ts'
import { FULL } from '../../../test/full.ts'
import { goneOn, keepServing, said, serveHdfs, tells, told } from '../../../test/hdfs-source.ts'
import { without } from '../../../test/servers/cache.ts'
import { hadoopJars } from '../../../test/servers/hdfs.ts'
import { type HttpfsServer, httpfsJars, startHttpfs } from '../../../test/servers/httpfs.ts'
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

  /** Names that URLs, JSON or a path of Java could spoil; in the order of their bytes, as HDFS lists them. */
  const hard = [
    '%2F',
    '&amp',
    '+',
    '..x',
    'a b',
    'back\\slash',
    'ha#sh',
    'line\nbreak',
    'q?m=1',
    'quo"te',
    'semi;colon',
    '{x}',
    'ä',
    '日本',
    '😀',
  ]
  const makeHard = async (under: string) => {
    for (const name of hard) await pair.nodes[0].call('PUT', `${under}/${encodeURIComponent(name)}/in`, 'op=MKDIRS')
  }

  test('names that are hard, of the directory too, over several pages; users that are hard', async (t) => {
    const directory = '/w;1 +%/ä'
    await makeHard(directory.split('/').map(encodeURIComponent).join('/'))
    const all = serveHdfs(t, urls(), { directory, type: 'CREATE' })
    await all.until(({ emitted }) => emitted.length === 2 * hard.length, 20_000)
    assert.deepEqual(
      new Set(told(all)),
      new Set(hard.flatMap((name) => [`1 ${directory}/${name}`, `1 ${directory}/${name}/in`])),
    )
    await tells(serveHdfs(t, urls(), { hdfsUser: '_a.b-C9$' }), ['1 /in/first'])
    for (const hdfsUser of ['a b', 'a@b', 'ä', 'x&op=DELETE'])
      assert.match(await said(serveHdfs(t, pair.nodes[0].url, { hdfsUser })), /does not take user|answered 500/)
  })

  suite('HttpFS', { skip: without('HttpFS', httpfsJars()) }, () => {
    let httpfs: HttpfsServer
    before(async () => {
      httpfs = await startHttpfs(pair.configuration)
    })
    after(() => httpfs?.close())
    const call = (method: string, path: string, query: string) => httpfs.call(method, path, query)
    /** An empty file: there is nowhere to put data. */
    const write = async (path: string) => {
      const headers = { 'content-type': 'application/octet-stream' }
      const url = `${httpfs.url}/webhdfs/v1${path}?op=CREATE&data=true&overwrite=true&user.name=root`
      assert.equal((await fetch(url, { method: 'PUT', headers, body: '' })).status, 201)
    }

    test('every kind, names that are hard, more than a page; then a name node on the same tree', async (t) => {
      await makeHard('/by/hard')
      const directory = '/by'
      const first = serveHdfs(t, httpfs.url, { directory })
      await first.until(({ emitted }) => emitted.length === 1 + 2 * hard.length, 20_000)
      await write('/by/file')
      await tells(first, ['1 /by/file'])
      await write('/by/file')
      await tells(first, ['2 /by/file'])
      // It may have been seen before it was closed: a look that begins after that tells the rest of it.
      await call('PUT', '/by/mark', 'op=MKDIRS')
      await tells(first, ['1 /by/mark'])
      await call('PUT', '/by/file', 'op=SETPERMISSION&permission=600')
      await tells(first, ['16 /by/file'])
      await call('PUT', '/by/file', 'op=RENAME&destination=/by/hard/file')
      await tells(first, ['8 /by/hard/file'])
      await call('DELETE', '/by/hard/file', 'op=DELETE')
      await tells(first, ['4 /by/hard/file'])
      await call('DELETE', `/by/hard/${encodeURIComponent('ä')}`, 'op=DELETE&recursive=true')
      await tells(first, ['4 /by/hard/ä', '4 /by/hard/ä/in'])
      // The directory it was in may have been listed before: its own change is told by a look that begins after that.
      await call('PUT', '/by/mark/two', 'op=MKDIRS')
      await tells(first, ['1 /by/mark/two'])
      await first.stop()
      const second = serveHdfs(t, urls(), { directory }, goneOn(first))
      await write('/by/last')
      await tells(second, ['1 /by/last'])
      assert.deepEqual(told(second), ['1 /by/last'])
    })

    test('what may not be read, what is not there, and a delegation token', async (t) => {
      await call('PUT', '/by/closed/deep', 'op=MKDIRS')
      await call('PUT', '/by/closed', 'op=SETPERMISSION&permission=700')
      const serve = (more: object, secrets?: Record<string, string>) =>
        serveHdfs(t, httpfs.url, { directory: '/by/closed', ...more }, secrets === undefined ? {} : { secrets })
      assert.match(await said(serve({ hdfsUser: 'alice' })), /^user alice may not list \/by\/closed$/)
      assert.match(await said(serve({ directory: '/none' })), /^directory \/none does not exist/)
      const token = async (user: string) =>
        (await call('GET', '/', `op=GETDELEGATIONTOKEN&user.name=${user}`)).Token.urlString
      const delegationTokenSecret = { name: 's', key: 'token' }
      const asRoot = serve({ hdfsUser: '', delegationTokenSecret }, { 's/token': `${await token('root')}\n` })
      await tells(asRoot, ['1 /by/closed/deep'])
      await asRoot.stop()
      const wrong = await said(serve({ delegationTokenSecret }, { 's/token': 'HAAEcm9vdA' }))
      assert.match(wrong, /answered 40[13]|Kerberos/)
      assert.equal(wrong.includes('HAAEcm9vdA'), false)
    })

    const noneBehind = async (t: TestContext) => {
      await Promise.all(pair.nodes.map(({ server }) => server.kill()))
      assert.match(await said(serveHdfs(t, httpfs.url)), /answered 500 ConnectException: .*Connection refused/)
      await Promise.all(pair.nodes.map((node) => node.start()))
      await pair.failover(0)
    }
    if (FULL) test('no name node behind it', noneBehind)
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
