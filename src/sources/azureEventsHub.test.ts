/** Azure Event Hubs against a double that the official clients speak to: payload, positions, partitions, retention, credit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventHubConsumerClient } from '@azure/event-hubs'
import rhea from 'rhea'
import { endOf, following } from '../../test/harness.ts'
import { until } from '../../test/http-routes.ts'
import { bodies, keys, openHub, PATIENCE_MS, receiving, serveEntry } from '../../test/servers/event-hubs-entry.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Emitted } from '../source.ts'
import { payload } from './azureEventsHub/message.ts'
import { IN_FLIGHT } from './azureEventsHub/serve.ts'
import azureEventsHub from './azureEventsHub.ts'

/** Looks more often. */
const impatient: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms < 60_000 ? Math.min(ms, 50) : ms, signal),
}
const valid = { fqdn: 'h.servicebus.windows.net', hubName: 'orders', ...keys }
const NOBODY = { sharedAccessKeyName: undefined, sharedAccessKey: undefined }

test('what Argo Events refuses, in its order and words', () => {
  for (const [more, path, message] of [
    [{ fqdn: '', hubName: '' }, 'fqdn', 'FQDN is not specified'],
    [{ hubName: '' }, 'hubName', 'hub name/path is not specified'],
    ...(['sharedAccessKey', 'sharedAccessKeyName'] as const).map(
      (field) =>
        [
          { [field]: undefined },
          field,
          'SharedAccessKey or SharedAccessKeyName is not specified. If one is set then both must be set',
        ] as const,
    ),
  ] as const) {
    const findings = azureEventsHub.validate!(azureEventsHub.spec.parse({ ...valid, ...more }))
    assert.deepEqual(
      findings.map((one) => [one.severity, one.path.join('.'), one.message, Boolean(one.remedy)]),
      [['error', path, message, true]],
    )
  }
})

test('what cannot work is found before anything connects, with a remedy', () => {
  const findings = (more: object) => azureEventsHub.validate!(azureEventsHub.spec.parse({ ...valid, ...more }))
  for (const [more, path, words] of [
    [{ fqdn: 'sb://h.servicebus.windows.net/' }, 'fqdn', /no host name/],
    [{ fqdn: 'h/;UseDevelopmentEmulator=true' }, 'fqdn', /no host name/],
    [{ fqdn: 'h:70000' }, 'fqdn', /no host name/],
    [{ hubName: 'a;b' }, 'hubName', /no event hub/],
    [{ fqdn: 'localhost', useDevelopmentEmulator: true, ...NOBODY }, 'useDevelopmentEmulator', /keys only/],
  ] as const) {
    const [finding, ...others] = findings(more)
    assert.deepEqual(others, [])
    assert.equal(finding!.path.join('.'), path)
    assert.match(finding!.message, words)
    assert.equal(finding!.fatal, true)
    assert.ok(finding!.remedy)
  }
  for (const more of [{}, NOBODY, { fqdn: 'localhost:5672', useDevelopmentEmulator: true }])
    assert.deepEqual(findings(more), [])
  const [advice, ...others] = findings({ fqdn: 'emulator', useDevelopmentEmulator: true })
  assert.deepEqual([advice?.severity, advice?.fatal, others], ['advice', undefined, []])
})

test('other keys are the same origin, another hub is another one', () => {
  const of = (more: object) =>
    JSON.stringify(azureEventsHub.identity!(azureEventsHub.spec.parse({ ...valid, ...more })))
  assert.equal(of({}), of(NOBODY))
  assert.notEqual(of({}), of({ hubName: 'other' }))
})

test('payloads, byte for byte: ids that are no text, bodies that are no data', () => {
  const of = (message: object, metadata?: Record<string, string>) =>
    payload(rhea.message.decode(rhea.message.encode(message as never)) as never, { metadata })
  const { data_section, data_sections, sequence_section } = rhea.message as unknown as Record<
    string,
    (content: unknown) => unknown
  >
  assert.equal(
    of(
      {
        message_id: '3f2c<',
        message_annotations: { 'x-opt-partition-key': 'k' },
        body: data_section!(Buffer.from('{"a":1}')),
      },
      { b: '2', a: '1' },
    ),
    '{"id":"3f2c\\u003c","partitionKey":"k","body":"eyJhIjoxfQ==","metadata":{"a":"1","b":"2"}}',
  )
  for (const [message, id, body] of [
    [{ body: data_section!(Buffer.alloc(0)) }, '', ''],
    [{ message_id: 7, body: data_sections!([Buffer.from('a'), Buffer.from('b')]) }, '7', 'ab'],
    [{ message_id: Buffer.alloc(16, 'a'), body: 'text' }, '61'.repeat(16), 'text'],
    [{ body: { a: [1] } }, '', '{"a":[1]}'],
    [{ body: sequence_section!([1, 'b']) }, '', '[1,"b"]'],
    // What a sender may make to look like our own.
    [{ body: { typecode: 0x75, multiple: true, content: 1 } }, '', '{"typecode":117,"multiple":true,"content":1}'],
    [{ body: null }, '', ''],
  ] as const)
    assert.equal(of(message), `{"id":"${id}","partitionKey":"","body":"${Buffer.from(body).toString('base64')}"}`)
})

test('the double: the official consumer reads what the official producer sent', async (t) => {
  const { connectionString, send } = await openHub(t, 2)
  await send(1, '"a"', '"b"')
  const consumer = new EventHubConsumerClient('$Default', connectionString, 'orders')
  t.after(() => consumer.close())
  assert.deepEqual(await consumer.getPartitionIds(), ['0', '1'])
  const seen = await new Promise((resolve, reject) => {
    const events: unknown[] = []
    consumer.subscribe(
      '1',
      {
        async processEvents(batch) {
          for (const { body, sequenceNumber, offset, enqueuedTimeUtc } of batch)
            events.push([body, sequenceNumber, offset, enqueuedTimeUtc instanceof Date])
          if (events.length === 2) resolve(events)
        },
        async processError(error) {
          reject(error)
        },
      },
      { startPosition: { offset: '-1' } },
    )
  })
  assert.deepEqual(seen, [
    ['a', 0, '0', true],
    ['b', 1, '10', true],
  ])
})

test('begins with what comes; each partition in its order; a new leader goes on after the last number of each', async (t) => {
  const hub = await openHub(t, 2)
  await hub.send(0, 'old')
  const first = serveEntry(t, hub)
  await receiving(first)
  await hub.send(0, 'a0', 'a1', 'a2')
  await hub.send(1, 'b0', 'b1')
  await first.until(({ emitted }) => emitted.length === 5, PATIENCE_MS)
  assert.deepEqual(
    bodies(first).filter((body) => body.startsWith('a')),
    ['a0', 'a1', 'a2'],
  )
  assert.equal(first.emitted[0]!.text, '{"id":"","partitionKey":"","body":"YTA="}')
  assert.deepEqual(
    first.emitted.map(({ id }) => id),
    ['0/1', '0/2', '0/3', '1/0', '1/1'].map((at) => `${hub.spec.fqdn}/orders/${at}`),
  )
  assert.equal(await first.stop(), undefined)
  const { created, ...position } = first.emitted[3]!.position!
  assert.deepEqual(position, { resets: 0, numbers: { 0: 3, 1: 0 } })
  // The start is written before anything is read.
  assert.deepEqual(first.advanced[0], { created, resets: 0, numbers: { 0: 0, 1: -1 } })
  // The last one was not stored.
  await hub.send(0, 'a3')
  const next = serveEntry(t, hub, { resume: first.emitted[3]!.position! })
  await next.until(({ emitted }) => emitted.length === 2, PATIENCE_MS)
  assert.deepEqual(bodies(next).sort(), ['a3', 'b1'])
})

test('partitions that are added are read from their start, also those that nobody saw come', async (t) => {
  const hub = await openHub(t)
  const first = serveEntry(t, hub, { clock: impatient })
  await receiving(first)
  hub.hubs.grow('orders')
  await hub.send(1, 'b0')
  await first.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  await first.stop()
  hub.hubs.grow('orders')
  await hub.send(2, 'c0')
  const next = serveEntry(t, hub, { resume: first.emitted[0]!.position! })
  await next.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  assert.deepEqual([...bodies(first), ...bodies(next)], ['b0', 'c0'])
  assert.deepEqual(next.emitted[0]!.position!.numbers, { 0: -1, 1: 0, 2: 0 })
})

test('what retention removed is said, whether nobody served meanwhile or the leader was too slow', async (t) => {
  const hub = await openHub(t)
  await hub.send(0, '0', '1', '2', '3', '4')
  hub.hubs.removeBefore('orders', 0, 3)
  const created = hub.hubs.get('orders')!.createdMs
  const harness = serveEntry(t, hub, { resume: { created, resets: 0, numbers: { 0: 0 } } })
  await harness.until(({ emitted }) => emitted.length === 2, PATIENCE_MS)
  assert.deepEqual(bodies(harness), ['3', '4'])
  assert.match(harness.skipped[0]!, /^sequence numbers 1 to 2 of partition 0 of orders: .*retention/)
  // In one turn: the link has not been served yet when they go.
  hub.hubs.append('orders', 0, rhea.message.encode({ body: '5' } as never) as unknown as Buffer)
  hub.hubs.append('orders', 0, rhea.message.encode({ body: '6' } as never) as unknown as Buffer)
  hub.hubs.removeBefore('orders', 0, 6)
  hub.pump()
  await harness.until(({ skipped, emitted }) => skipped.length === 2 && emitted.length === 3, PATIENCE_MS)
  assert.match(harness.skipped[1]!, /^sequence numbers 5 to 5 of/)
  assert.equal(bodies(harness)[2], '6')
})

test('numbers that a compacted hub left out are no loss', async (t) => {
  const hub = await openHub(t)
  await hub.send(0, '0')
  const created = hub.hubs.get('orders')!.createdMs
  await hub.send(0, '1', '2')
  hub.hubs.leaveOut('orders', 0, 1)
  const harness = serveEntry(t, hub, { resume: { created, resets: 0, numbers: { 0: 0 } } })
  await harness.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  assert.equal(await harness.stop(), undefined)
  assert.deepEqual([bodies(harness), harness.skipped], [['2'], []])
})

test('numbers that end before ours were lost by the service: said, and gone on after the last', async (t) => {
  const hub = await openHub(t)
  await hub.send(0, '0', '1', '2')
  hub.hubs.cutFrom('orders', 0, 1)
  const created = hub.hubs.get('orders')!.createdMs
  const harness = serveEntry(t, hub, { resume: { created, resets: 0, numbers: { 0: 2 } } })
  await receiving(harness)
  assert.match(harness.skipped[0]!, /^sequence numbers from 1 of partition 0 .*lost them \(it has 0, 2 was read\)/)
  await hub.send(0, 'new')
  await harness.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  // 1 has been an id already.
  assert.match(harness.emitted[0]!.id!, /\/orders\/0\/1\/1$/)
})

test('a hub that is made anew is read from its start, under other ids; the leader sees it while it serves', async (t) => {
  const hub = await openHub(t)
  await hub.send(0, '0', '1')
  const first = serveEntry(t, hub, { clock: impatient })
  await receiving(first)
  hub.hubs.make('orders', 1)
  await hub.send(0, 'new')
  assert.match((await endOf(first)).message, /orders was made anew/)
  const next = serveEntry(t, hub, { resume: first.advanced[0]! })
  await next.until(({ emitted }) => emitted.length === 1, PATIENCE_MS)
  assert.deepEqual(bodies(next), ['new'])
  assert.match(next.emitted[0]!.id!, /\/orders\/0\/0\/1$/)
})

test("the first term after Argo Events' Pods: what came since they were seen, without what they told", async (t) => {
  const hub = await openHub(t, 1)
  await hub.send(0, 'long ago')
  const { context } = serveEntry(t, hub, { prepareOnly: true })
  const seen = { atMs: Date.now() - 60_000, look: await azureEventsHub.look!(context) }
  await hub.send(0, 'theirs', 'twice', 'ours', 'twice')
  const told = ['theirs', 'twice'].map((body) => ({
    ...{ id: 'random', atMs: Date.now() + 60_000 },
    data: payload({ message_id: undefined, message_annotations: undefined, body }, {}),
  }))
  const early = { ...told[1]!, atMs: seen.atMs + 500 }
  const first = serveEntry(t, hub, { predecessor: { told: [early, ...told], seen } })
  await first.until(({ emitted }) => emitted.length === 2, PATIENCE_MS)
  await hub.send(0, 'theirs')
  await first.until(({ emitted }) => emitted.length === 3, PATIENCE_MS)
  assert.deepEqual(bodies(first), ['ours', 'twice', 'theirs'])
})

test('a standby is connected and authorized and receives nothing; what it kept serves', async (t) => {
  const hub = await openHub(t, 3)
  const harness = serveEntry(t, hub, { prepareOnly: true })
  await receiving(harness)
  assert.deepEqual(hub.authorized, ['orders/$management'])
  assert.deepEqual(hub.credits(), [])
  const kept = harness.context.kept()!
  await harness.stop()
  const serving = new AbortController()
  const served = following(azureEventsHub).serve({ ...harness.context, signal: serving.signal, kept: () => kept })
  await hub.send(0, 'before or after')
  await until(() => hub.credits().length === 3, 'the double has seen it', PATIENCE_MS)
  assert.equal(hub.authorized.filter((address) => address.endsWith('$management')).length, 1)
  serving.abort()
  await served
})

test('the credit of a link is bounded, however long it was idle and however slow the bus', async (t) => {
  const hub = await openHub(t)
  const harness = serveEntry(t, hub)
  const stored = Promise.withResolvers<Emitted>()
  let open = 0
  harness.context.emit = () => {
    open++
    return stored.promise
  }
  try {
    await receiving(harness)
    const texts = Array.from({ length: 500 }, (_, i) => `${i}`)
    for (let i = 0; i < 4; i++) await hub.send(0, ...texts)
    await until(() => open >= IN_FLIGHT, 'all that the link allows is there', PATIENCE_MS)
    assert.deepEqual([open, hub.credits()], [IN_FLIGHT, [0]])
  } finally {
    stored.resolve({ id: '', outcome: 'stored' })
  }
})

test('credit is given back for what is done with', async (t) => {
  const hub = await openHub(t, 2)
  const harness = serveEntry(t, hub)
  await receiving(harness)
  const texts = Array.from({ length: 500 }, (_, i) => `${i}`)
  for (let i = 0; i < 5; i++) for (const partition of [0, 1]) await hub.send(partition, ...texts)
  await harness.until(({ emitted }) => emitted.length === 5_000, PATIENCE_MS)
  assert.equal(new Set(harness.emitted.map(({ id }) => id)).size, 5_000)
})
