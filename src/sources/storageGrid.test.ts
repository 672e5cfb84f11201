import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { mutations } from '../../test/fuzz.ts'
import { serveInHarness } from '../../test/harness.ts'
import { type ServedSource, serveHttpSource } from '../../test/http-source.ts'
import { startFakeStorageGrid } from '../../test/servers/fakes/storage-grid.ts'
import { fail } from '../core/errors.ts'
import { configurationsOf } from './storageGrid/bucket.ts'
import { notificationOf, payloadOf, recordStructs } from './storageGrid/notification.ts'
import storageGrid from './storageGrid.ts'

const URN = 'urn:x:sns:r::t'
const record = {
  eventVersion: '2.0',
  eventSource: 'sgws:s3',
  eventTime: '2019-02-27T21:15:09.500Z',
  awsRegion: 'us-east-1',
  eventName: 'ObjectCreated:Put',
  userIdentity: { principalId: '1' },
  requestParameters: { sourceIPAddress: '1.1.1.1' },
  responseElements: { 'x-amz-request-id': '123' },
  s3: {
    s3SchemaVersion: '1.0',
    configurationId: 'my-event',
    bucket: { name: 'b', ownerIdentity: { principalId: '2' }, arn: 'urn:sgws:s3:::b' },
    object: { key: 'in/a.txt', size: 6, eTag: 'e', sequencer: '00AB' },
  },
}
const withObject = (object: object) => ({ ...record, s3: { ...record.s3, object: { ...record.s3.object, ...object } } })
const form = (...records: object[]) =>
  new URLSearchParams({
    Action: 'Publish',
    Message: JSON.stringify({ Records: records }),
    TopicArn: URN,
    Version: '2010-03-31',
  }).toString()
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }

const spec = (port: number | string, more: object = {}) => ({
  webhook: { endpoint: '/e', port: String(port), url: 'https://us' },
  topicArn: URN,
  apiURL: 'http://127.0.0.1:1/api/v3',
  authToken: { name: 's', key: 'token' },
  bucket: 'uploads',
  events: ['ObjectCreated:*', 's3:ObjectRemoved:*'],
  ...more,
})
const serve = async (t: TestContext, more: object = {}): Promise<ServedSource> => {
  const served = await serveHttpSource(storageGrid, (port) => spec(port, more))
  t.after(() => served.close())
  return served
}
const post = (served: ServedSource, body: string) => served.send('POST /e', FORM, body)

test('the payload, byte for byte; the answer is the one of SNS', async (t) => {
  const served = await serve(t, { metadata: { m: '1' } })
  const reply = await post(served, form(record))
  assert.equal(reply.status, 200)
  assert.equal(reply.headers['content-type'], 'application/xml')
  assert.match(
    reply.body,
    /^\n<PublishResponse xmlns="http:\/\/argoevents-sns-server\/">\n {4}<PublishResult> \n {8}<MessageId>[0-9a-f-]{36}<\/MessageId> \n {4}<\/PublishResult> \n {4}<ResponseMetadata>\n {7}<RequestId>[0-9a-f-]{36}<\/RequestId>\n {4}<\/ResponseMetadata> \n<\/PublishResponse>\n$/,
  )
  assert.deepEqual(served.events(), [
    '{"notification":{"Action":"Publish","Message":{"Records":[{"eventVersion":"2.0","storageGridEventSource":"sgws:s3","eventTime":"2019-02-27T21:15:09.5Z","eventName":"ObjectCreated:Put","userIdentity":{"principalId":"1"},"requestParameters":{"sourceIPAddress":"1.1.1.1"},"responseElements":{"x-amz-request-id":"123"},"s3":{"s3SchemaVersion":"1.0","configurationId":"my-event","bucket":{"name":"b","ownerIdentity":{"principalId":"2"},"arn":"urn:sgws:s3:::b"},"object":{"key":"in/a.txt","size":6,"eTag":"e","sequencer":"00AB"}}}]},"TopicArn":"urn:x:sns:r::t","Version":"2010-03-31"},"metadata":{"m":"1"}}',
  ])
})

test('members that are absent have their zero value', async (t) => {
  const served = await serve(t)
  await post(served, form({}))
  assert.equal(
    served.events()[0],
    '{"notification":{"Action":"Publish","Message":{"Records":[{"eventVersion":"","storageGridEventSource":"","eventTime":"0001-01-01T00:00:00Z","eventName":"","userIdentity":{"principalId":""},"requestParameters":{"sourceIPAddress":""},"responseElements":{"x-amz-request-id":""},"s3":{"s3SchemaVersion":"","configurationId":"","bucket":{"name":"","ownerIdentity":{"principalId":""},"arn":""},"object":{"key":"","size":0,"eTag":"","sequencer":""}}}]},"TopicArn":"urn:x:sns:r::t","Version":"2010-03-31"}}',
  )
})

test('keys keep every character, and the form is decoded once', async (t) => {
  const served = await serve(t)
  const keys = ['a&b=c', 'a+b c%41', 'ünï/日本', '"quotes"', '=&=', 'a<b>']
  for (const key of keys) assert.equal((await post(served, form(withObject({ key })))).status, 200)
  const seen = served.events().map((text) => JSON.parse(text).notification.Message.Records[0].s3.object.key)
  assert.deepEqual(seen, keys)
})

test('a repeat has the same id; another state, key or kind of event has another', async (t) => {
  const served = await serve(t)
  const id = async (one: object) => (await post(served, form(one))).headers['x-event-id']
  const first = await id(record)
  assert.equal(await id(record), first)
  const others = [
    withObject({ sequencer: '00AC' }),
    withObject({ key: 'x' }),
    { ...record, eventName: 'ObjectRemoved:Delete' },
  ]
  const ids = new Set([first])
  for (const one of others) ids.add(await id(one))
  assert.equal(ids.size, 4)
})

test('prefix and suffix; several records pass when one does', async (t) => {
  const served = await serve(t, { filter: { prefix: 'in/', suffix: '.txt' } })
  for (const key of ['in/a.csv', 'out/a.txt', 'in/a.txt']) await post(served, form(withObject({ key })))
  assert.equal(served.events().length, 1)
  await post(served, form(withObject({ key: 'no' }), withObject({ key: 'in/b.txt' })))
  assert.equal(JSON.parse(served.events()[1]!).notification.Message.Records.length, 2)
  await post(served, form())
  assert.equal(served.events().length, 2)
})

test('what tells of no object is answered, and makes no event', async (t) => {
  const served = await serve(t)
  for (const [start, body] of [
    ['POST /e', ''],
    ['POST /e', '{}'],
    ['POST /e', 'Action=Publish&Message=StorageGRID+Test+Message'],
    ['POST /e', 'Action=Publish&Message={"Event":"s3:TestEvent"}'],
    ['POST /e', 'Message=[]'],
    ['POST /e', 'Message={"Records":1}'],
    ['GET /e', ''],
    ['PUT /e', 'x'],
  ] as const) {
    const reply = await served.send(start, FORM, body)
    assert.equal(reply.status, 200, body)
    assert.match(reply.body, /PublishResponse/)
  }
  assert.deepEqual(served.events(), [])
})

test('a record that is none, and a malformed form', async (t) => {
  const served = await serve(t)
  const refused = async (body: string, words: RegExp) => {
    const reply = await post(served, body)
    assert.equal(reply.status, 400, body)
    assert.match(reply.body, words)
  }
  await refused(
    form(withObject({ size: '6' })),
    /cannot unmarshal string into Go struct field Record.s3.object.size of type int/,
  )
  await refused(form(withObject({ size: 1.5 })), /number 1.5/)
  await refused(form({ ...record, eventTime: 'yesterday' }), /parsing time/)
  await refused(form({ ...record, s3: [] }), /cannot unmarshal array/)
  await refused('Message={"Records":[]}&x=%zz', /invalid URL escape "%zz"/)
  assert.deepEqual(served.events(), [])
})

test('while the bus takes nothing the answer is 503, not 200', async (t) => {
  const served = await serve(t)
  served.harness.failWith = fail('BUS_UNAVAILABLE', 'away')
  const reply = await post(served, form(record))
  assert.deepEqual([reply.status, reply.body, reply.headers['retry-after']], [503, 'failed to record event', '1'])
})

test('whatever is posted, nothing unexpected is thrown', () => {
  const structs = recordStructs()
  const plain = `Action=Publish&Message=${JSON.stringify({ Records: [record, withObject({ key: 'ü' })] })}&TopicArn=${URN}`
  for (const input of mutations([form(record), plain], { seed: 5 })) {
    try {
      const notification = notificationOf(input)
      if (notification !== null) storageGrid.event.parse(JSON.parse(payloadOf(notification, structs)))
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'EVENT_INVALID', `${input}\n${(error as Error).stack}`)
    }
  }
})

test('hooks: the endpoint once, the configuration as upstream writes it, those of others kept', async (t) => {
  const fake = await startFakeStorageGrid()
  t.after(() => fake.close())
  const signal = AbortSignal.timeout(30_000)
  const targetOf = async (more: object = {}, token = 'good') => {
    const { context, stop } = serveInHarness(storageGrid, spec(1, { apiURL: `${fake.url}/api/v3`, ...more }), {
      secrets: { 's/token': token },
      http: async () => {},
    })
    t.after(stop)
    const [target] = await (await storageGrid.hooks!(context))!.targets(signal)
    return target!
  }
  const target = await targetOf()
  assert.deepEqual(fake.endpoints, [
    {
      id: '1',
      displayName: 'e',
      endpointURI: 'https://us/e',
      endpointURN: URN,
      authType: 'anonymous',
      insecureTLS: true,
    },
  ])
  assert.deepEqual(await target.list(signal), [])
  const { hook } = await target.create(signal)
  assert.equal(
    fake.notifications.get('uploads'),
    `\n<NotificationConfiguration>\n\t<TopicConfiguration>\n\t  <Id>e</Id>\n\t  <Topic>${URN}</Topic>\n\t  <Event>ObjectCreated:*</Event>\n<Event>s3:ObjectRemoved:*</Event>\n\t</TopicConfiguration>\n</NotificationConfiguration>\n\n`,
  )
  const [listed] = await target.list(signal)
  assert.ok(target.isOurs(listed!) && target.isCurrent(listed!) && target.isCurrent(hook))

  const other = `<TopicConfiguration>\n <Id>other &amp; more</Id><Topic>${URN}</Topic><Event>ObjectRemoved:*</Event></TopicConfiguration>`
  fake.notifications.set('uploads', `<NotificationConfiguration xmlns="x">${other}</NotificationConfiguration>`)
  assert.deepEqual(
    (await target.list(signal)).map(({ id }) => id),
    ['other & more'],
  )
  await target.create(signal)
  const changed = await targetOf({ events: ['ObjectCreated:Put'] })
  const mine = (await changed.list(signal)).find((one) => changed.isOurs(one))!
  assert.ok(!changed.isCurrent(mine))
  await changed.update!(mine, signal)
  assert.ok(fake.notifications.get('uploads')!.includes(other), 'the configuration of another is kept')
  assert.ok(changed.isCurrent((await changed.list(signal)).find((one) => changed.isOurs(one))!))
  await changed.delete(mine, signal)
  assert.deepEqual(
    (await target.list(signal)).map(({ id }) => id),
    ['other & more'],
  )
  assert.equal(fake.count('POST', /endpoints$/), 1)

  const refused = (more: object, token: string, words: RegExp) =>
    assert.rejects(
      targetOf(more, token).then((one) => one.list(signal)),
      { code: 'ORIGIN_UNAVAILABLE', message: words },
    )
  await refused({}, 'wrong', /answered 401.*token is not valid/)
  await refused({ bucket: 'none' }, 'good', /answered 404.*no such bucket/)
})

test('hooks: a configuration that would be lost is not overwritten', () => {
  const queue =
    '<NotificationConfiguration><QueueConfiguration><Id>q</Id></QueueConfiguration></NotificationConfiguration>'
  assert.throws(() => configurationsOf(queue), /would be lost/)
  assert.deepEqual(configurationsOf(''), [])
})

test('hooks: none without a URL', async () => {
  const { context } = serveInHarness(storageGrid, spec(1, { webhook: { endpoint: '/e', port: '1' } }), {
    http: async () => {},
  })
  assert.equal(await storageGrid.hooks!(context), null)
})
