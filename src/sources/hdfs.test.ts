/** HDFS against Hadoop itself: every kind of event, what happened while nobody served, every error, name nodes that stand by. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, suite, test } from 'node:test'
import { goneOn, said, serveHdfs, tells, told } from '../../test/hdfs-source.ts'
import { without } from '../../test/servers/cache.ts'
import { type HdfsServer, hadoopJars, startHdfs } from '../../test/servers/hdfs.ts'
import { freePorts } from '../../test/servers/process.ts'
import { fail } from '../core/errors.ts'
import { httpAddresses } from './hdfs/name-nodes.ts'
import hdfs from './hdfs.ts'

const valid = { directory: '/in', pathRegexp: '.', type: 'CREATE', addresses: ['h:8020'], hdfsUser: 'root' }
const krb = { name: 's', key: 'k' }

test('what Argo Events refuses, and what cannot work, with a remedy', () => {
  const service = { krbServicePrincipalName: 'hdfs/_HOST', krbConfigConfigMap: krb }
  for (const [more, path, severity, fatal] of [
    [{ type: '' }, ['type'], 'error', undefined],
    [{ type: 'X|create' }, ['type'], 'error', undefined],
    [{ checkInterval: '10' }, ['checkInterval'], 'error', undefined],
    [{ checkInterval: '99ms' }, ['checkInterval'], 'warning', true],
    [{ directory: '' }, ['directory'], 'error', undefined],
    [{ directory: 'in' }, ['directory'], 'error', undefined],
    [{ pathRegexp: undefined }, [], 'error', undefined],
    [{ path: 'x' }, [], 'error', undefined],
    [{ pathRegexp: '(' }, ['pathRegexp'], 'error', undefined],
    [{ pathRegexp: undefined, path: 'a/../b' }, ['path'], 'warning', true],
    [{ pathRegexp: undefined, path: 'a/' }, ['path'], 'warning', true],
    [{ addresses: [] }, ['addresses'], 'error', undefined],
    [{ addresses: ['a b'] }, ['addresses'], 'warning', true],
    [{ webhdfsAddresses: ['h:9870'] }, ['webhdfsAddresses'], 'warning', true],
    [{ webhdfsAddresses: ['http://u:p@h'] }, ['webhdfsAddresses'], 'warning', true],
    [{ hdfsUser: '' }, ['hdfsUser'], 'error', undefined],
    [{ hdfsUser: 'a&b' }, ['hdfsUser'], 'warning', true],
    [{ hdfsUser: '', krbKeytabSecret: krb, ...service }, ['krbKeytabSecret'], 'error', undefined],
    [{ krbKeytabSecret: krb, ...service, krbUsername: 'u', krbRealm: 'R' }, ['krbKeytabSecret'], 'warning', true],
    [{ hdfsUser: '', krbCCacheSecret: krb }, ['krbCCacheSecret'], 'error', undefined],
    [{ hdfsUser: '', krbCCacheSecret: krb, ...service }, ['krbCCacheSecret'], 'warning', true],
    [{ tls: { clientCertSecret: krb } }, ['tls'], 'error', undefined],
  ] as const) {
    const findings = hdfs.validate!(hdfs.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path, one.severity, one.fatal, one.remedy !== undefined]),
      [[path, severity, fatal, true]],
    )
  }
  assert.deepEqual(hdfs.validate!(hdfs.spec.parse(valid)), [])
  assert.deepEqual(hdfs.validate!(hdfs.spec.parse({ ...valid, hdfsUser: '', delegationTokenSecret: krb })), [])
  assert.deepEqual(hdfs.validate!(hdfs.spec.parse({ ...valid, pathRegexp: undefined, path: 'a/b.txt' })), [])
})

test('name nodes are asked at their port of WebHDFS, or where it is said', () => {
  const at = (more: object) => httpAddresses(hdfs.spec.parse({ ...valid, ...more }))
  assert.deepEqual(at({ addresses: ['nn-0:8020', ' nn-1 ', '[::1]:8020'] }), [
    'http://nn-0:9870',
    'http://nn-1:9870',
    'http://[::1]:9870',
  ])
  assert.deepEqual(at({ webhdfsAddresses: ['https://nn:9871/', 'http://httpfs:14000'] }), [
    'https://nn:9871',
    'http://httpfs:14000',
  ])
})

suite('with HDFS', { skip: without('Hadoop', hadoopJars()) }, () => {
  let server: HdfsServer
  before(async () => {
    server = await startHdfs({ permissions: true })
  })
  after(() => server?.close())
  beforeEach(() => server.call('DELETE', '/in', 'op=DELETE&recursive=true'))
  const make = (path: string) => server.call('PUT', path, 'op=MKDIRS')
  const move = (path: string, to: string) => server.call('PUT', path, `op=RENAME&destination=${encodeURIComponent(to)}`)

  test('every kind; two looks at a tree; names that are hard; then what happened while nobody served', async (t) => {
    await make('/in/sub')
    await server.put('/in/there', 'x')
    const first = serveHdfs(t, server.url, { metadata: { b: '2', a: '1' } })
    await tells(first, ['1 /in/there', '1 /in/sub'])
    assert.equal(first.emitted[0]!.text.endsWith(',"metadata":{"a":"1","b":"2"}}'), true)
    await server.put(`/in/sub/${encodeURIComponent('ä %?#&+;.txt')}`, 'text')
    await tells(first, ['1 /in/sub/ä %?#&+;.txt', '2 /in/sub'])
    await server.put('/in/there', 'more')
    await tells(first, ['2 /in/there'])
    // It may have been seen while it was written: a look that begins after that tells the rest of it.
    await make('/in/mark')
    await tells(first, ['1 /in/mark'])
    await server.call('PUT', '/in/there', 'op=SETPERMISSION&permission=600')
    await tells(first, ['16 /in/there'])
    await move('/in/there', '/in/sub/there')
    await tells(first, ['8 /in/sub/there'])
    await move('/in/sub/there', '/in/sub/other')
    await tells(first, ['4 /in/sub/there', '1 /in/sub/other'])
    await server.call('DELETE', '/in/sub/other', 'op=DELETE')
    await tells(first, ['4 /in/sub/other'])
    assert.equal(await first.stop(), undefined)

    await make('/in/new')
    await server.call('DELETE', '/in/sub', 'op=DELETE&recursive=true')
    const second = serveHdfs(t, server.url, {}, goneOn(first))
    await tells(second, ['1 /in/new', '4 /in/sub', '4 /in/sub/ä %?#&+;.txt'])
    assert.equal(second.emitted.length, 3)
    assert.equal(await second.stop(), undefined)
    const ids = [...first.emitted, ...second.emitted].map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
  })

  test("the first term after Argo Events' Pods: what they did not tell is told, removals too, and nothing again", async (t) => {
    for (const path of ['same', 'gone', 'theirs-gone']) await make(`/in/${path}`)
    const { context } = serveHdfs(t, server.url, {}, { prepareOnly: true })
    const seen = { atMs: Date.now(), look: await hdfs.look!(context) }
    await make('/in/theirs')
    for (const path of ['theirs-gone', 'gone']) await server.call('DELETE', `/in/${path}`, 'op=DELETE')
    await make('/in/ours')
    const theirs = (name: string, op: number) => ({
      ...{ id: 'random', atMs: Date.now(), data: `{"name":"/in/${name}","op":${op},"metadata":null}` },
    })
    const predecessor = { told: [theirs('theirs', 1), theirs('theirs-gone', 4)], seen }
    const first = serveHdfs(t, server.url, {}, { predecessor })
    await tells(first, ['4 /in/gone', '1 /in/ours'])
    await make('/in/last')
    await tells(first, ['1 /in/last'])
    await first.stop()
    assert.deepEqual(told(first), ['4 /in/gone', '1 /in/ours', '1 /in/last'])
  })

  test("what Argo Events' Pods were behind with when they were looked at, and never told, is told", async (t) => {
    for (const path of ['long-ago', 'last', 'behind']) await make(`/in/${path}`)
    const { context } = serveHdfs(t, server.url, {}, { prepareOnly: true })
    const seen = { atMs: Date.now(), look: await hdfs.look!(context) }
    const data = `{"name":"/in/last","op":1,"metadata":null}`
    const predecessor = { told: [{ id: 'random', atMs: Date.now(), data }], seen }
    const first = serveHdfs(t, server.url, {}, { predecessor })
    await tells(first, ['1 /in/behind'])
    await first.stop()
    assert.deepEqual(told(first), ['1 /in/behind'])
  })

  test('only what path, pathRegexp and type mean; a directory with more entries than a page', async (t) => {
    for (let i = 0; i < 1100; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => make(`/many/d${i + j}`)))
    await make('/many/d1099/x.txt')
    const all = serveHdfs(t, server.url, { directory: '/many/', type: 'CREATE' })
    const one = serveHdfs(t, server.url, {
      directory: '/many',
      pathRegexp: undefined,
      path: 'd1099/x.txt',
      type: 'CREATE|REMOVE',
    })
    const some = serveHdfs(t, server.url, { directory: '/', pathRegexp: '^many/d10..$|/x', type: 'WRITE|CREATE' })
    await all.until(({ emitted }) => emitted.length === 1101, 20_000)
    await some.until(({ emitted }) => emitted.length === 101, 20_000)
    await tells(one, ['1 /many/d1099/x.txt'])
    await server.call('DELETE', '/many/d1099/x.txt', 'op=DELETE')
    await tells(one, ['4 /many/d1099/x.txt'])
    await tells(some, ['2 /many/d1099'])
    assert.equal(one.emitted.length, 2)
    // A leader that dies in the middle of many events: the next one goes on there.
    const position = all.emitted[500]!.position!
    const next = serveHdfs(
      t,
      server.url,
      { directory: '/many/', type: 'CREATE' },
      { snapshot: all.snapshot, resume: position },
    )
    await next.until(({ emitted }) => emitted.length === 600, 20_000)
    assert.deepEqual(
      next.emitted.map(({ id }) => id),
      all.emitted.slice(501).map(({ id }) => id),
    )
  })

  test('errors are said, tell nothing, and go by themselves', async (t) => {
    assert.match(await said(serveHdfs(t, server.url)), /^directory \/in does not exist/)
    await make('/in/open')
    const first = serveHdfs(t, server.url, { hdfsUser: 'alice' })
    await tells(first, ['1 /in/open'])
    await first.stop()
    await make('/in/closed/deep')
    await server.call('PUT', '/in/closed', 'op=SETPERMISSION&permission=700')
    const refused = serveHdfs(t, server.url, { hdfsUser: 'alice' }, goneOn(first))
    assert.match(await said(refused), /^user alice may not list \/in\/closed$/)
    assert.deepEqual(told(refused), [])
    await server.call('PUT', '/in/closed', 'op=SETPERMISSION&permission=755')
    const again = serveHdfs(t, server.url, { hdfsUser: 'alice' }, goneOn(first))
    await tells(again, ['1 /in/closed', '1 /in/closed/deep'])
    assert.equal(again.emitted.length, 2)
    await again.stop()
    await server.put('/in/file', 'x')
    assert.match(await said(serveHdfs(t, server.url, { directory: '/in/file' })), /^\/in\/file is not a directory$/)
    const [port] = await freePorts(1)
    assert.match(await said(serveHdfs(t, `http://127.0.0.1:${port}`)), /^TCP: 127\.0\.0\.1:\d+: nothing listens there/)
  })

  test('a tree that is too large for the bus is said, tells nothing, and is told once it is small enough', async (t) => {
    await make('/in/first')
    const first = serveHdfs(t, server.url)
    await tells(first, ['1 /in/first'])
    first.failSaveWith = fail('VALUE_TOO_LARGE', 'the snapshot of e has 2 bytes, more than 1')
    await Promise.all(Array.from({ length: 40 }, (_, i) => make(`/in/d${i}`)))
    const words = await said(first)
    assert.match(
      words,
      /^\/in has \d+ entries, more than the bus can keep \(the snapshot of e has 2 bytes, more than 1\): /,
    )
    const second = serveHdfs(t, server.url, {}, goneOn(first))
    await tells(
      second,
      Array.from({ length: 40 }, (_, i) => `1 /in/d${i}`).filter((line) => !told(first).includes(line)),
    )
    assert.equal(first.emitted.length + second.emitted.length, 41)
  })

  test('a name node that stands by, one that hangs up, one that is none: the other is asked; restarted, all goes on', async (t) => {
    await make('/in/a')
    const answers = new Map<string, (path: string) => [status: number, body: string]>([
      [
        'standby',
        () => [
          403,
          '{"RemoteException":{"exception":"StandbyException","javaClassName":"org.apache.hadoop.ipc.StandbyException","message":"Operation category READ is not supported in state standby."}}',
        ],
      ],
      ['page', () => [502, '<html>']],
      ['kerberos', () => [401, '<html>Authentication required']],
      ['lies', () => [200, '{"DirectoryListing":null}']],
    ])
    let asked = 0
    const doubles = await Promise.all(
      [...answers.values()].map(async (answer) => {
        const double = createServer((request, response) => {
          asked++
          const [status, body] = answer(request.url!)
          response.writeHead(status).end(body)
        })
        await new Promise<void>((resolve) => double.listen(0, '127.0.0.1', resolve))
        t.after(() => double.close())
        return `http://127.0.0.1:${(double.address() as AddressInfo).port}`
      }),
    )
    const [standby, page, kerberos, lies] = doubles as [string, string, string, string]
    const first = serveHdfs(t, [standby, page, server.url])
    await tells(first, ['1 /in/a'])
    const askedOnce = asked
    await make('/in/b')
    await tells(first, ['1 /in/b'])
    assert.equal(asked, askedOnce, 'the one that answered is asked first')
    await first.stop()
    assert.match(await said(serveHdfs(t, [standby])), /^no name node is active: 127\.0\.0\.1:\d+ is a standby$/)
    assert.match(await said(serveHdfs(t, [standby, page])), /answered 502; 127\.0\.0\.1:\d+ is a standby$/)
    assert.match(await said(serveHdfs(t, [kerberos])), /asks for Kerberos, which is not in this version$/)
    assert.match(await said(serveHdfs(t, [lies])), /is no listing/)
    await server.restart()
    const after = serveHdfs(t, server.url, {}, goneOn(first))
    await make('/in/c')
    await tells(after, ['1 /in/c'])
    assert.equal(after.emitted.length, 1)
  })
})
