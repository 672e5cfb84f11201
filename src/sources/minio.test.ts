/** MinIO against the real server: payloads, what happened while nobody listened, every error, lost connections. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { makeCertificate } from '../../test/certificate.ts'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { MINIO_PASSWORD, MINIO_USER, type MinioServer, minioBinary, startMinio } from '../../test/servers/minio.ts'
import { freePorts } from '../../test/servers/process.ts'
import { s3 } from '../../test/servers/s3.ts'
import { notificationPayload } from './minio/payload.ts'
import { listing } from './minio/s3.ts'
import type { MinioPosition } from './minio/serve.ts'
import minio from './minio.ts'

const skip = without('MinIO', minioBinary())
const keys = { accessKey: { name: 's', key: 'u' }, secretKey: { name: 's', key: 'p' } }
const valid = { endpoint: 'h:9000', bucket: { name: 'input' }, events: ['s3:ObjectCreated:*'], ...keys }
const secrets = { 's/u': MINIO_USER, 's/p': MINIO_PASSWORD }

test('what Argo Events refuses, and what cannot work, with a remedy', () => {
  for (const [more, path, severity, fatal] of [
    [{ accessKey: undefined }, ['accessKey'], 'error', undefined],
    [{ secretKey: undefined }, ['secretKey'], 'error', undefined],
    [{ endpoint: '' }, ['endpoint'], 'error', undefined],
    [{ bucket: {} }, ['bucket', 'name'], 'error', undefined],
    [{ bucket: undefined }, ['bucket'], 'warning', true],
    [{ events: ['s3:ObjectCreated:*', ''] }, ['events', 1], 'error', undefined],
    [{ events: [] }, ['events'], 'warning', true],
    [{ endpoint: 'http://h' }, ['endpoint'], 'warning', true],
    [{ events: ['s3:ObjectCreated:Copy'] }, ['events'], 'advice', undefined],
  ] as const) {
    const findings = minio.validate!(minio.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.path, one.severity, one.fatal, one.remedy !== undefined]),
      [[path, severity, fatal, true]],
    )
  }
  assert.deepEqual(minio.validate!(minio.spec.parse(valid)), [])
})

test('payload as Argo Events: members in their order, unknown ones dropped, absent ones with their zero values', () => {
  const record =
    '{"more":1,"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"","eventTime":"2024-01-01T00:00:00.123Z","eventName":"s3:ObjectCreated:Put","userIdentity":{"principalId":"minio"},"requestParameters":{"sourceIPAddress":"10.0.0.1","principalId":"minio","region":""},"responseElements":{"x-amz-request-id":"17A"},"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"input","ownerIdentity":{"principalId":"minio"},"arn":"arn:aws:s3:::input"},"object":{"key":"hello.txt","size":6,"eTag":"b1946ac9","contentType":"text/plain","sequencer":"17A6"}},"source":{"host":"10.0.0.1","port":"","userAgent":"mc"}}'
  assert.equal(
    notificationPayload([record], undefined),
    '{"notification":[{"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"","eventTime":"2024-01-01T00:00:00.123Z","eventName":"s3:ObjectCreated:Put","userIdentity":{"principalId":"minio"},"requestParameters":{"principalId":"minio","region":"","sourceIPAddress":"10.0.0.1"},"responseElements":{"x-amz-request-id":"17A"},"s3":{"s3SchemaVersion":"1.0","configurationId":"Config","bucket":{"name":"input","ownerIdentity":{"principalId":"minio"},"arn":"arn:aws:s3:::input"},"object":{"key":"hello.txt","size":6,"eTag":"b1946ac9","contentType":"text/plain","sequencer":"17A6"}},"source":{"host":"10.0.0.1","port":"","userAgent":"mc"}}]}',
  )
  assert.match(
    notificationPayload(['{"s3":{"object":{"key":"<"}}}'], { k: 'v' }),
    /"requestParameters":null,"responseElements":null,.*"object":\{"key":"\\u003c","sequencer":""\}\},.*\],"metadata":\{"k":"v"\}\}$/,
  )
})

test('listings: encoded keys, entities, pages; what is none gives nothing', () => {
  const xml = `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>
<Contents><Key>a+b%2Bc%26%3C</Key><LastModified>2026-11-24T10:22:51.592Z</LastModified><ETag>&quot;5d-2&quot;</ETag><Size>5</Size></Contents></ListBucketResult>`
  assert.deepEqual(listing(xml), {
    objects: [{ key: 'a b+c&<', modifiedMs: 1795515771592, size: 5, eTag: '5d-2' }],
    next: 'a&b',
  })
  assert.deepEqual(listing('<html>'), { objects: [], next: undefined })
})

async function started(t: TestContext, options?: Parameters<typeof startMinio>[0]): Promise<MinioServer> {
  const server = await startMinio(options)
  t.after(() => server.close())
  return server
}
function serve(
  t: TestContext,
  more: object,
  options: Parameters<typeof serveInHarness<any, MinioPosition>>[2] = {},
): Harness<MinioPosition> {
  const spec = { ...valid, insecure: true, events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'], ...more }
  const harness = serveInHarness(minio, spec, { secrets, ...options })
  t.after(() => harness.stop())
  return harness
}
const fine = (harness: Harness<MinioPosition>) =>
  harness.until(({ conditions, advanced }) => conditions.includes(null) && advanced.length > 0, 15_000)
const told = (harness: Harness<MinioPosition>) =>
  harness.emitted.map(({ text }) => {
    const [{ eventName, s3 }] = JSON.parse(text).notification
    return `${eventName.split(':').slice(1).join(':')} ${s3.object.key}`
  })
/** What the next leader has of this one. */
const left = (harness: Harness<MinioPosition>) => {
  const last = harness.emitted.at(-1)?.position
  const advanced = harness.advanced.at(-1)!
  return {
    snapshot: harness.snapshot,
    resume: last !== undefined && last.base >= advanced.base ? last : advanced,
  }
}

test("the first term after Argo Events' Pods: what they did not tell is told, removals too, and nothing again", {
  skip,
}, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  for (const key of ['same', 'gone', 'theirs-gone', 'changed']) await s3(endpoint, 'PUT', `/input/${key}`, key)
  const { context } = serve(t, { endpoint }, { prepareOnly: true })
  const seen = { atMs: Date.now(), look: await minio.look!(context) }
  // They are one of ours here, whose payloads are the same.
  const theirs = serve(t, { endpoint })
  await fine(theirs)
  await s3(endpoint, 'PUT', '/input/theirs', '1')
  await s3(endpoint, 'PUT', '/input/changed', '1')
  await s3(endpoint, 'DELETE', '/input/theirs-gone')
  await theirs.until(({ emitted }) => emitted.length === 3, 10_000)
  await theirs.stop()
  await s3(endpoint, 'PUT', '/input/changed', '2')
  await s3(endpoint, 'PUT', '/input/ours', '1')
  await s3(endpoint, 'DELETE', '/input/gone')
  const toldBefore = theirs.emitted.map(({ text }) => ({ id: 'random', atMs: Date.now(), data: text }))
  const first = serve(t, { endpoint }, { predecessor: { told: toldBefore, seen } })
  await fine(first)
  await first.until(({ emitted }) => emitted.length === 3, 10_000)
  await s3(endpoint, 'PUT', '/input/last', '1')
  await first.until(({ emitted }) => emitted.length > 3, 10_000)
  await first.stop()
  assert.deepEqual(told(first), [
    'ObjectRemoved:Delete gone',
    'ObjectCreated:Put changed',
    'ObjectCreated:Put ours',
    'ObjectCreated:Put last',
  ])
})

for (const looked of [true, false])
  test(`what theirs were behind with when they ended is told (looked at: ${looked})`, { skip }, async (t) => {
    const { endpoint } = await started(t)
    await s3(endpoint, 'PUT', '/input')
    const theirs = serve(t, { endpoint })
    await fine(theirs)
    for (const key of ['long-ago', 'last']) await s3(endpoint, 'PUT', `/input/${key}`, key)
    await theirs.until(({ emitted }) => emitted.length === 2, 10_000)
    await theirs.stop()
    await s3(endpoint, 'PUT', '/input/behind', '1')
    const { context } = serve(t, { endpoint }, { prepareOnly: true })
    const seen = looked ? { atMs: Date.now(), look: await minio.look!(context) } : null
    const toldBefore = theirs.emitted.map(({ text }) => ({ id: 'random', atMs: Date.now(), data: text }))
    const first = serve(t, { endpoint }, { predecessor: { told: toldBefore, seen } })
    await fine(first)
    await s3(endpoint, 'PUT', '/input/next', '1')
    await first.until(({ emitted }) => emitted.length >= 2, 10_000)
    await first.stop()
    assert.deepEqual(told(first), ['ObjectCreated:Put behind', 'ObjectCreated:Put next'])
  })

test('notifications, and what happened while nobody listened, each with one id', { skip }, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  for (const key of ['old', 'gone', 'changed']) await s3(endpoint, 'PUT', `/input/${key}`, key)
  const first = serve(t, { endpoint })
  await fine(first)
  await s3(endpoint, 'PUT', '/input/a b+ü', '1')
  await s3(endpoint, 'PUT', '/input/short', '1')
  await s3(endpoint, 'DELETE', '/input/short')
  await first.until(({ emitted }) => emitted.length === 3, 10_000)
  assert.deepEqual(told(first), ['ObjectCreated:Put a b+ü', 'ObjectCreated:Put short', 'ObjectRemoved:Delete short'])
  await first.stop()

  await s3(endpoint, 'PUT', '/input/new', '2')
  await s3(endpoint, 'PUT', '/input/changed', 'again')
  await s3(endpoint, 'DELETE', '/input/gone')
  await s3(endpoint, 'PUT', '/input/never', '1')
  await s3(endpoint, 'DELETE', '/input/never')
  const next = serve(t, { endpoint }, left(first))
  await next.until(({ emitted }) => emitted.length >= 3, 10_000)
  await fine(next)
  assert.deepEqual(told(next), ['ObjectRemoved:Delete gone', 'ObjectCreated:Put new', 'ObjectCreated:Put changed'])
  await next.stop()
  const third = serve(t, { endpoint }, left(next))
  await fine(third)
  assert.deepEqual(told(third), [])

  // As if nothing of what the second one told had become durable: the same again, by the same ids.
  const again = serve(t, { endpoint }, left(first))
  await fine(again)
  assert.deepEqual(
    again.emitted.map(({ id }) => id),
    next.emitted.map(({ id }) => id),
  )
})

test('the id of a notification is that of the listing', { skip }, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  const leader = serve(t, { endpoint })
  await fine(leader)
  const before = left(leader)
  await s3(endpoint, 'PUT', '/input/one', '1')
  await s3(endpoint, 'PUT', '/input/two', '1')
  await leader.until(({ emitted }) => emitted.length === 2)
  const other = serve(t, { endpoint }, before)
  await other.until(({ emitted }) => emitted.length === 2)
  assert.deepEqual(
    other.emitted.map(({ id }) => id),
    leader.emitted.map(({ id }) => id),
  )
})

test('only removals are asked for: what was created meanwhile is known all the same', { skip }, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  const events = ['s3:ObjectRemoved:*']
  const first = serve(t, { endpoint, events })
  await fine(first)
  await s3(endpoint, 'PUT', '/input/later', '1')
  await first.until(({ advanced }) => advanced.some(({ delta }) => delta?.some(([key]) => key === 'later')))
  await first.stop()
  await s3(endpoint, 'DELETE', '/input/later')
  const next = serve(t, { endpoint, events }, left(first))
  await next.until(({ emitted }) => emitted.length === 1, 10_000)
  assert.deepEqual(told(next), ['ObjectRemoved:Delete later'])
})

test('versions: removing an old one is an event of its own, and the object stays known', { skip }, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  const versioning = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  await s3(endpoint, 'PUT', '/input?versioning=', versioning)
  const first = serve(t, { endpoint })
  await fine(first)
  await s3(endpoint, 'PUT', '/input/a', '1')
  await s3(endpoint, 'PUT', '/input/a', '2')
  await first.until(({ emitted }) => emitted.length === 2)
  const [version] = first.emitted.map(({ text }) => JSON.parse(text).notification[0].s3.object.versionId as string)
  await s3(endpoint, 'DELETE', `/input/a?versionId=${version}`)
  await first.until(({ emitted }) => emitted.length === 3)
  await first.stop()
  const second = serve(t, { endpoint }, left(first))
  await fine(second)
  assert.deepEqual(told(second), [], 'nothing has happened since')
  await s3(endpoint, 'DELETE', '/input/a')
  await second.until(({ emitted }) => emitted.length === 1)
  assert.equal(new Set([...first.emitted, ...second.emitted].map(({ id }) => id)).size, 4)
})

test('kinds that leave no state: told each time; and only what is asked for', { skip }, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  const harness = serve(t, { endpoint, events: ['s3:ObjectAccessed:Get'], filter: { prefix: 'p/', suffix: '.txt' } })
  await fine(harness)
  for (const key of ['p/a.txt', 'q/a.txt', 'p/a.csv']) {
    await s3(endpoint, 'PUT', `/input/${key}`, '1')
    await s3(endpoint, 'GET', `/input/${key}`)
  }
  await s3(endpoint, 'GET', '/input/p/a.txt')
  await harness.until(({ emitted }) => emitted.length === 2)
  assert.deepEqual(told(harness), ['ObjectAccessed:Get p/a.txt', 'ObjectAccessed:Get p/a.txt'])
  assert.deepEqual(
    harness.emitted.map(({ id }) => id),
    [undefined, undefined],
  )
})

test('more changes than positions hold, and more objects than a page: snapshots, and nothing is told twice', {
  skip,
}, async (t) => {
  const { endpoint } = await started(t)
  await s3(endpoint, 'PUT', '/input')
  const first = serve(t, { endpoint })
  await fine(first)
  const put = (from: number, to: number) =>
    Promise.all(Array.from({ length: to - from }, (_, i) => s3(endpoint, 'PUT', `/input/n${from + i}`, '1')))
  for (let i = 0; i < 1_200; i += 100) await put(i, i + 100)
  await first.until(({ emitted }) => emitted.length === 1_200, 30_000)
  await first.stop()
  await put(1_200, 1_250)
  const next = serve(t, { endpoint }, left(first))
  await next.until(({ emitted }) => new Set(emitted.map(({ id }) => id)).size >= 50, 15_000)
  await fine(next)
  const before = new Set(first.emitted.map(({ id }) => id))
  const repeats = next.emitted.filter(({ id }) => before.has(id))
  assert.equal(next.emitted.length - repeats.length, 50)
  assert.ok(repeats.length <= minio.recall!, `${repeats.length} are told again`)
})

test('MinIO is restarted: said, so that it is listened to again', { skip }, async (t) => {
  const server = await started(t)
  await s3(server.endpoint, 'PUT', '/input')
  const harness = serve(t, { endpoint: server.endpoint })
  await fine(harness)
  await server.restart()
  assert.equal((await endOf(harness)).code, 'ORIGIN_UNAVAILABLE')
})

test('what is wrong is said: nobody there, DNS, keys, no bucket, TLS, a missing Secret', { skip }, async (t) => {
  const { cert, key } = makeCertificate()
  const [free] = (await freePorts(1)) as [number]
  const { endpoint } = await started(t)
  const secure = await started(t, { tls: { cert, key } })
  for (const [more, given, words] of [
    [{ endpoint: `127.0.0.1:${free}` }, secrets, /^TCP: 127\.0\.0\.1:\d+: nothing listens there/],
    [{ endpoint: 'no-such-host.invalid:9000' }, secrets, /^DNS: the host of no-such-host\.invalid:9000/],
    [{ endpoint }, { ...secrets, 's/p': 'wrong' }, /^authentication: .*403 SignatureDoesNotMatch/],
    [{ endpoint }, { 's/u': 'a' }, /^failed to get the secret key for event source e/],
    [{ endpoint }, secrets, /bucket input: the server answers 404 NoSuchBucket/],
    [{ endpoint: secure.endpoint, insecure: false }, secrets, /^TLS: .*self.signed/i],
  ] as [object, Record<string, string>, RegExp][]) {
    for (const prepareOnly of [false, true]) {
      const error = await endOf(serve(t, more, { secrets: given, prepareOnly }))
      assert.match(error.message, words)
      assert.doesNotMatch(error.message, /wrong$/)
    }
  }
  const trusted = { endpoint: secure.endpoint, insecure: false, caCertificate: { name: 's', key: 'ca' } }
  const right = serve(t, trusted, { secrets: { ...secrets, 's/ca': cert } })
  assert.match((await endOf(right)).message, /404 NoSuchBucket/)
})
