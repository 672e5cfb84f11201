/** Pub/Sub against Google's fake (pstest): subscriptions, payloads, acknowledging, every error, lost connections. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { v1 } from '@google-cloud/pubsub-api'
import { endOf, type Harness, serveInHarness } from '../../test/harness.ts'
import { without } from '../../test/servers/cache.ts'
import { type PubSubServer, pstestBinary, startPstest } from '../../test/servers/pubsub.ts'
import { fail } from '../core/errors.ts'
import { emulatorAt } from './pubSub/client.ts'
import { messagePayload } from './pubSub/payload.ts'
import { namesOf } from './pubSub/spec.ts'
import pubSub from './pubSub.ts'

const skip = without('the Pub/Sub fake', pstestBinary())
const spec = (more: object) => pubSub.spec.parse(more)

test('what Argo Events refuses', () => {
  for (const [more, path] of [
    [{}, 'topic'],
    [{ topicProjectID: 'p', subscriptionID: 's' }, 'topicProjectID'],
  ] as const) {
    const findings = pubSub.validate!(spec(more))
    assert.deepEqual(
      findings.map((one) => [one.path[0], one.severity, one.remedy !== undefined]),
      [[path, 'error', true]],
    )
  }
  for (const more of [{ topic: 't' }, { subscriptionID: 's' }, { topic: 't', topicProjectID: 'p' }])
    assert.deepEqual(pubSub.validate!(spec(more)), [])
})

test('a subscription without a name is called as Argo Events calls it; our own fields do not change its name', () => {
  assert.deepEqual(namesOf('example', spec({ topic: 't' }), 'p'), {
    project: 'p',
    subscription: 'projects/p/subscriptions/example-1540997543',
    topic: 'projects/p/topics/t',
  })
  const full = {
    projectID: 'p',
    topic: 't',
    credentialSecret: { name: 'n', key: 'k' },
    deleteSubscriptionOnFinish: true,
    jsonBody: true,
    metadata: { b: '1', a: '<' },
    filter: { expression: 'a > 1', onError: 'publish' },
  }
  assert.equal(namesOf('example', spec(full), '').subscription, 'projects/p/subscriptions/example-444660566')
  const elsewhere = namesOf('e', spec({ projectID: 'p', topicProjectID: 'q', topic: 't', subscriptionID: 's' }), '')
  assert.deepEqual([elsewhere.subscription, elsewhere.topic], ['projects/p/subscriptions/s', 'projects/q/topics/t'])
  assert.equal(namesOf('e', spec({ projectID: 'p', subscriptionID: 's' }), '').topic, null)
})

test('payloads, byte for byte', () => {
  const message = {
    messageId: '6783124801234567',
    data: Buffer.from('{ "a": 1 }'),
    attributes: { k: 'v', a: '<' },
    publishTime: { seconds: '1700000000', nanos: 123_456_000 },
  }
  assert.equal(
    messagePayload(message, { jsonBody: true, metadata: undefined }),
    '{"id":"6783124801234567","body":{"a":1},"attributes":{"a":"\\u003c","k":"v"},"publishTime":"2023-11-14 22:13:20.123456 +0000 UTC"}',
  )
  assert.equal(
    messagePayload({ messageId: '1', publishTime: { seconds: 1 } }, { jsonBody: false, metadata: { k: 'v' } }),
    '{"id":"1","body":null,"attributes":null,"publishTime":"1970-01-01 00:00:01 +0000 UTC","metadata":{"k":"v"}}',
  )
  for (const data of [undefined, null, '', Buffer.alloc(0)])
    assert.equal(
      messagePayload({ ...message, data }, { jsonBody: true, metadata: undefined }),
      '{"id":"6783124801234567","body":null,"attributes":{"a":"\\u003c","k":"v"},"publishTime":"2023-11-14 22:13:20.123456 +0000 UTC"}',
      'attributes alone',
    )
})

let server: PubSubServer
let publisher: v1.PublisherClient
let subscriber: v1.SubscriberClient
before(async () => {
  if (skip) return
  server = await startPstest()
  process.env.PUBSUB_EMULATOR_HOST = server.host
  const options = { ...(await emulatorAt(server.host)), projectId: 'p' }
  publisher = new v1.PublisherClient(options)
  subscriber = new v1.SubscriberClient(options)
})
after(async () => {
  if (skip) return
  await Promise.all([publisher.close(), subscriber.close()])
  await server.close()
})

/** A topic of this test's own, with a subscription. */
async function topic(name: string) {
  const at = { topic: `projects/p/topics/${name}`, subscription: `projects/p/subscriptions/${name}` }
  await publisher.createTopic({ name: at.topic })
  await subscriber.createSubscription({ name: at.subscription, topic: at.topic, ackDeadlineSeconds: 10 })
  return {
    ...at,
    send: (...texts: string[]) =>
      publisher.publish({ topic: at.topic, messages: texts.map((text) => ({ data: Buffer.from(text) })) }),
    /** What nobody has acknowledged, and nobody holds. */
    async waiting() {
      const [{ receivedMessages }] = await subscriber.pull(
        { subscription: at.subscription, maxMessages: 100, returnImmediately: true },
        { timeout: 5_000 },
      )
      return receivedMessages ?? []
    },
  }
}
function serve(
  t: TestContext,
  more: object,
  options: Parameters<typeof serveInHarness<any, any>>[2] = {},
): Harness<unknown> {
  const harness = serveInHarness(pubSub, { projectID: 'p', ...more }, options)
  t.after(() => harness.stop())
  return harness
}
const fine = (harness: Harness<unknown>) => harness.until(({ conditions }) => conditions.at(-1) === null, 15_000)

test('messages are published with their ids, and acknowledged; no JSON is skipped and acknowledged', {
  skip,
}, async (t) => {
  const { send, waiting } = await topic('plain')
  const [{ messageIds }] = await send('{"n":1}', 'no json', '{"n":2}')
  const harness = serve(t, { subscriptionID: 'plain', jsonBody: true })
  await harness.until(({ emitted, skipped }) => emitted.length === 2 && skipped.length === 1, 15_000)
  const given = harness.emitted.map(({ id }) => /^(.+):\d+\.\d+$/.exec(id!)?.[1])
  assert.deepEqual(given.sort(), [messageIds![0], messageIds![2]].sort())
  assert.match(harness.skipped[0]!, /; it is acknowledged, since the subscription has no dead-letter policy$/)
  await harness.stop()
  assert.deepEqual(await waiting(), [])
})

test('attributes and no data, as JSON: an event', { skip }, async (t) => {
  const { topic: name } = await topic('attributes')
  const harness = serve(t, { subscriptionID: 'attributes', jsonBody: true })
  await fine(harness)
  await publisher.publish({ topic: name, messages: [{ attributes: { k: 'v' } }] })
  await harness.until(({ emitted }) => emitted.length === 1, 15_000)
  const { body, attributes } = JSON.parse(harness.emitted[0]!.text)
  assert.deepEqual([body, attributes, harness.skipped], [null, { k: 'v' }, []])
})

test('what can never become an event gets to the dead-letter topic; it counts once, and holds nothing up', {
  skip,
}, async (t) => {
  const dead = await topic('dead')
  const { send, waiting, ...names } = await topic('mourned')
  await subscriber.deleteSubscription({ subscription: names.subscription })
  await subscriber.createSubscription({
    name: names.subscription,
    topic: names.topic,
    ackDeadlineSeconds: 10,
    deadLetterPolicy: { deadLetterTopic: dead.topic, maxDeliveryAttempts: 5 },
  })
  const harness = serve(t, { subscriptionID: 'mourned', jsonBody: true })
  await fine(harness)
  await send('no json', '{"n":1}')
  await harness.until(({ emitted, skipped }) => emitted.length === 1 && skipped.length === 1, 15_000)
  harness.failWith = fail('EVENT_TOO_LARGE', 'event has 20000000 bytes')
  await send('{"n":2}')
  // pstest publishes some of them again and again.
  const texts = new Set<string>()
  for (let i = 0; texts.size < 2 && i < 300; i++) {
    await pause(50)
    for (const { message, ackId } of await dead.waiting()) {
      texts.add(Buffer.from(message!.data as Uint8Array).toString())
      await subscriber.acknowledge({ subscription: dead.subscription, ackIds: [ackId!] })
    }
  }
  assert.deepEqual([...texts].sort(), ['no json', '{"n":2}'])
  assert.deepEqual(
    harness.skipped.map((text) => /; it is refused, until the dead-letter policy .* moves it/.test(text)),
    [true, true],
  )
  await harness.stop()
  assert.deepEqual(await waiting(), [])
})

test('an emulator that is started again counts anew: another message of a known id is another event', {
  skip,
}, async (t) => {
  const fresh = async (text: string) => {
    const emulator = await startPstest()
    t.after(() => emulator.close())
    const options = { ...(await emulatorAt(emulator.host)), projectId: 'p' }
    const clients = [new v1.PublisherClient(options), new v1.SubscriberClient(options)] as const
    t.after(() => Promise.all(clients.map((client) => client.close())))
    const at = { topic: 'projects/p/topics/anew', subscription: 'projects/p/subscriptions/anew' }
    await clients[0].createTopic({ name: at.topic })
    await clients[1].createSubscription({ name: at.subscription, topic: at.topic, ackDeadlineSeconds: 10 })
    process.env.PUBSUB_EMULATOR_HOST = emulator.host
    const harness = serve(t, { subscriptionID: 'anew' })
    await fine(harness)
    process.env.PUBSUB_EMULATOR_HOST = server.host
    const [{ messageIds }] = await clients[0].publish({ topic: at.topic, messages: [{ data: Buffer.from(text) }] })
    await harness.until(({ emitted }) => emitted.length === 1, 15_000)
    await harness.stop()
    return { named: messageIds![0], id: harness.emitted[0]!.id }
  }
  const [before, after] = [await fresh('1'), await fresh('2')]
  assert.equal(after.named, before.named, 'the fake counts anew')
  assert.notEqual(after.id, before.id)
})

test('a bus that is slow: held for longer than the deadline, and delivered to nobody else', { skip }, async (t) => {
  const { send, waiting } = await topic('slow')
  const release = Promise.withResolvers<void>()
  const harness = serve(t, { subscriptionID: 'slow' })
  const { emit } = harness.context
  let asked = 0
  harness.context.emit = async (event) => {
    asked++
    await release.promise
    return await emit(event)
  }
  await fine(harness)
  await send('1')
  // pstest gives a message again when its deadline of 10 s has passed.
  await pause(13_000)
  assert.deepEqual(await waiting(), [])
  release.resolve()
  await harness.until(({ emitted }) => emitted.length === 1)
  assert.equal(asked, 1)
})

test('told to stop, or fenced: what is not stored goes to the next one at once', { skip }, async (t) => {
  const { send } = await topic('next')
  const first = serve(t, { subscriptionID: 'next' })
  const both = Promise.withResolvers<void>()
  let asked = 0
  const ids = new Set<string>()
  // pstest sends each message by itself: one that comes after the end is with nobody until its deadline.
  first.context.emit = async ({ id }) => {
    ids.add(id!)
    if (++asked === 2) both.resolve()
    await both.promise
    throw fail('FENCED', 'term 2 rules')
  }
  await fine(first)
  await send('1', '2')
  assert.equal((await endOf(first)).code, 'FENCED')
  const next = serve(t, { subscriptionID: 'next' })
  await next.until(({ emitted }) => emitted.length === 2, 8_000)
  assert.deepEqual(new Set(next.emitted.map(({ id }) => id)), ids, 'the same events')
})

test('what is missing is made, by any number of replicas at once; and deleted with the object only', {
  skip,
}, async (t) => {
  const more = { topic: 'made', deleteSubscriptionOnFinish: true }
  const all = [1, 2, 3].map(() => serve(t, more))
  await Promise.all(all.map(fine))
  const { subscription } = namesOf('e', spec({ projectID: 'p', ...more }), 'p')
  await Promise.all(all.map((one) => one.stop()))
  const [found] = await subscriber.getSubscription({ subscription })
  assert.equal(found.topic, 'projects/p/topics/made')
  await pubSub.remove!({ ...all[0]!.context, signal: new AbortController().signal })
  await assert.rejects(subscriber.getSubscription({ subscription }), /NOT_FOUND|not found/i)
  // Once more: what is gone is gone.
  await pubSub.remove!({ ...all[0]!.context, signal: new AbortController().signal })
})

test('a subscription named after the fields goes when they change, if it is to go at all', { skip }, async (t) => {
  for (const [deleteSubscriptionOnFinish, left] of [
    [true, 0],
    [false, 1],
  ] as const) {
    const more = { topic: 'changing', deleteSubscriptionOnFinish }
    const first = serve(t, more)
    await fine(first)
    await first.stop()
    const changed = serve(t, { ...more, jsonBody: true }, { snapshot: first.snapshot })
    await fine(changed)
    await changed.stop()
    const named = (fields: object) => namesOf('e', spec({ projectID: 'p', ...fields }), 'p').subscription
    const [all] = await subscriber.listSubscriptions({ project: 'projects/p' })
    const names = all.map(({ name }) => name)
    assert.equal(names.filter((name) => name === named(more)).length, left)
    assert.ok(names.includes(named({ ...more, jsonBody: true })))
  }
})

test('what is wrong is said: missing, another topic, a deleted topic, nobody there', { skip }, async (t) => {
  await topic('mine')
  await topic('gone')
  await publisher.deleteTopic({ topic: 'projects/p/topics/gone' })
  for (const [more, words] of [
    [{ subscriptionID: 'nowhere' }, /you need to specify topicID to create missing subscription projects\/p/],
    [{ subscriptionID: 'mine', topic: 'other' }, /this subscription belongs to wrong topic projects\/p\/topics\/mine/],
    [{ subscriptionID: 'gone', topic: 'gone' }, /the topic for the subscription has been deleted/],
  ] as const) {
    assert.match((await endOf(serve(t, more))).message, words)
  }
  process.env.PUBSUB_EMULATOR_HOST = '127.0.0.1:1'
  try {
    const standby = serve(t, { subscriptionID: 'mine' }, { prepareOnly: true })
    assert.match((await endOf(standby)).message, /TCP: Pub\/Sub: nothing listens there \(ECONNREFUSED\)/)
  } finally {
    process.env.PUBSUB_EMULATOR_HOST = server.host
  }
})

test('an emulator: no credentials are looked for', { skip }, async (t) => {
  let asked = 0
  const metadata = createServer((_, response) => {
    asked++
    response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve))
  t.after(() => metadata.close())
  const { port } = metadata.address() as { port: number }
  process.env.GCE_METADATA_HOST = `127.0.0.1:${port}`
  t.after(() => delete process.env.GCE_METADATA_HOST)
  await topic('emulated')
  await fine(serve(t, { subscriptionID: 'emulated' }))
  assert.equal(asked, 0)
})

test('credentials that are none: said, without a word of them', async (t) => {
  const { PUBSUB_EMULATOR_HOST } = process.env
  delete process.env.PUBSUB_EMULATOR_HOST
  try {
    const more = { subscriptionID: 's', credentialSecret: { name: 's', key: 'k' } }
    for (const [secrets, words] of [
      [{}, /^could not find credentials/],
      [{ 's/k': '{"private_key": hidden' }, /^the value of key k of Secret s is no JSON$/],
    ] as [Record<string, string>, RegExp][]) {
      const { message } = await endOf(serve(t, more, { secrets }))
      assert.match(message, words)
      assert.doesNotMatch(message, /hidden/)
    }
  } finally {
    if (PUBSUB_EMULATOR_HOST !== undefined) process.env.PUBSUB_EMULATOR_HOST = PUBSUB_EMULATOR_HOST
  }
})
