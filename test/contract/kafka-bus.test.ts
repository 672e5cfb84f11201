/** What the bus on Kafka promises besides the contract: readers, logins, topics. */
import assert from 'node:assert/strict'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, suite, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { deliveryTo, hurried, receiver, takenIds } from '../../src/api/delivery/receiver.fixture.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { createFreeAppender } from '../../src/bus/kafka/free.ts'
import { eventMessage } from '../../src/bus/kafka/message.ts'
import { createProducer } from '../../src/bus/kafka/producer.ts'
import { stateTopicOf } from '../../src/bus/kafka/state.ts'
import { openKafkaBus } from '../../src/buses/kafka/open.ts'
import type { KafkaBusSpec } from '../../src/buses/kafka/spec.ts'
import { connectKafka, type KafkaClient } from '../../src/clients/kafka.ts'
import { type FetchLimits, fetcher } from '../../src/clients/kafka-fetch.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { without } from '../servers/cache.ts'
import { KAFKA_PASSWORD, KAFKA_USER, type KafkaServer, kafkaJars, startKafka } from '../servers/kafka.ts'
import { event, kinds, numbered, readAll, rejectsWith, until } from './bus.ts'

suite('the bus on Kafka', { skip: without('Kafka', kafkaJars()), timeout: 300_000 }, () => {
  const ends: (() => Promise<unknown>)[] = []
  let started: Promise<KafkaServer> | null = null
  const kafka = () => {
    started ??= startKafka()
    return started
  }
  after(async () => {
    await Promise.all(ends.map((end) => end()))
    await (await started)?.close()
  })
  const newTopic = () => `t-${randomBytes(4).toString('hex')}`
  const values: Record<string, string> = { user: KAFKA_USER, password: KAFKA_PASSWORD, wrong: 'wrong' }
  const secrets = {
    secret: async (_: string, { key }: { key: string }) => (key === 'ca' ? (await kafka()).ca : values[key]!),
  }
  const open = async (spec: KafkaBusSpec & { topic: string }): Promise<Bus> => {
    const place = { namespace: 'test', name: 'default', session: 'test' }
    const options = { ...place, secrets, clock: systemClock, log: silentLogger }
    const bus = openKafkaBus({ url: (await kafka()).broker, ...spec }, options)
    ends.push(() => bus.close())
    return bus
  }
  const ready = async (spec: KafkaBusSpec & { topic: string }): Promise<Bus> => {
    const bus = await open(spec)
    await until('the topics are there', () => bus.status().connected, 60_000)
    return bus
  }
  const client = async (): Promise<KafkaClient> => {
    const made = await connectKafka({ brokers: [(await kafka()).broker], clientId: 'test' })
    ends.push(() => made.close())
    return made
  }
  const source = { namespace: 'test', name: 'orders' }
  const claim = (holder: string) => ({ holder, nonce: randomBytes(8).toString('hex'), floor: 0 })

  test('a topic that was deleted and made anew is another log; deliveries begin again with its oldest event', async (t) => {
    const topic = newTopic()
    const bus = await ready({ topic })
    const to = await receiver(t)
    const delivery = await deliveryTo(t, bus, to.url, { clock: hurried })
    const stored = async (from: number, until: number) => {
      for (let i = from; i <= until; i++)
        assert.deepEqual(kinds(await bus.append(source, [event(`n${i}`)])), ['stored'])
    }
    await stored(1, 5)
    await until('the old topic', () => delivery.status().delivered === 5, 30_000)
    const before = await bus.state()
    const { admin } = await client()
    await admin.deleteTopics({ topics: [topic] })
    await until('it is gone', async () => !(await admin.listTopics()).includes(topic), 30_000)
    const other = await ready({ topic })
    await until('another log', async () => (await bus.state()).log !== before.log, 60_000)
    assert.deepEqual(kinds(await other.append(source, [event('n6')])), ['stored'])
    await until('the new topic', () => takenIds(to.got).length === 6, 60_000)
    assert.equal(takenIds(to.got).at(-1), 'n6')
    assert.deepEqual((await bus.state()).messages, 1)
  })

  test('what a dead leader had open: a reader of everything sees it, one of what is committed never does', async () => {
    const topic = newTopic()
    const bus = await ready({ topic })
    const fence = await bus.claim(source, claim('r-0'))
    await bus.appendFenced(fence, [event('stored', { position: 1 })])
    // The same as a leader does, up to where it dies.
    const dead = await client()
    const { leaders } = await dead.topic(topic)
    const refresh = async () => {}
    const producer = await createProducer(dead, (_, partition) => leaders[partition]!, refresh, systemClock)
    const transactionalId = `${stateTopicOf(topic)}/test/orders`
    const identity = { ...(await producer.init(transactionalId)), transactionalId }
    const lost = eventMessage(source, event('open'), { topic, partition: 0 }, 2)
    await producer.add(identity, [lost])
    await producer.produce(identity, [lost], new Map())
    const consumed = { group: topic, topic, offsets: { 0: 7 } }
    assert.equal(await producer.addConsumed(identity, consumed), null)
    const seenBy = async (readCommitted: boolean): Promise<string[]> => {
      const fetch = await fetcher(dead, topic, await dead.topic(topic))
      const limits: FetchLimits = {
        ...{ minBytes: 1, maxWaitMs: 100, maxBytes: 1 << 20, partitionMaxBytes: 1 << 20 },
        readCommitted,
      }
      const [found] = await fetch(leaders[0]!, new Map([[0, 0]]), limits)
      return found!.records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()).id)
    }
    assert.deepEqual(await seenBy(false), ['stored', 'open'])
    assert.deepEqual(await seenBy(true), ['stored'])
    const next = await bus.claim(source, claim('r-1'))
    assert.equal(next.positions.get('e'), 1)
    await rejectsWith(producer.addConsumed(identity, consumed), 'FENCED')
    await rejectsWith(producer.commit(identity), 'FENCED')
    assert.deepEqual(await dead.committed(topic, topic, [0]), {}, 'offsets end with their transaction')
    await bus.appendFenced(next, [event('again', { position: 2 })])
    assert.deepEqual(
      (await readAll(bus, {})).map(({ id }) => id),
      ['stored', 'again'],
    )
    assert.deepEqual(await seenBy(true), ['stored', 'again'])
    assert.deepEqual(await seenBy(false), ['stored', 'open', 'again'])
  })

  test("what Argo Events' Pods have stored since we last did is found at the next claim, and only that", async () => {
    const topic = newTopic()
    const bus = await ready({ topic })
    const dotted = { namespace: 'test', name: 'orders.eu' }
    const theirs = await client()
    const { leaders } = await theirs.topic(topic)
    const producer = await createProducer(
      theirs,
      (_, partition) => leaders[partition]!,
      async () => {},
      systemClock,
    )
    const free = createFreeAppender(producer)
    /** As theirs sends it: the key and the event, no headers. */
    const sends = async (...ids: string[]) => {
      const messages = ids.map((id) => ({
        ...{ topic, partition: 0, key: Buffer.from('orders.eu.e'), headers: new Map() },
        value: Buffer.from(event(id).event),
      }))
      assert.deepEqual(
        kinds(await free.append(messages, () => ({ outcome: 'stored', seq: 0 }))),
        ids.map(() => 'stored'),
      )
    }
    const others = async (limit = 10) => {
      const found = await bus.others(dotted, 'e', limit)
      return found.map(({ event: bytes }) => JSON.parse(Buffer.from(bytes).toString()).id)
    }
    await sends('1', '2', '3')
    const fence = await bus.claim(dotted, claim('r-0'))
    assert.deepEqual(await others(), ['1', '2', '3'])
    assert.deepEqual(await others(2), ['2', '3'])
    await bus.appendFenced(fence, [event('ours', { position: 1 })])
    assert.deepEqual(await others(), [])
    await sends('4')
    await bus.claim(dotted, claim('r-1'))
    assert.deepEqual(await others(), ['4'])
    assert.deepEqual(
      (await bus.tail(dotted, 'e', 2)).map(({ namespace }) => namespace),
      ['test', ''],
    )
  })

  test('who leaves its epoch behind goes on, and what is late from it is refused; who was fenced cannot', async () => {
    const topic = newTopic()
    const looking = await client()
    await looking.ask((admin) => admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }))
    await until('the topic is there', async () => (await looking.topic(topic).catch(() => null)) !== null)
    const producer = await createProducer(
      looking,
      () => 1,
      async () => {},
      systemClock,
    )
    const first = { ...(await producer.init(topic)), transactionalId: topic }
    const write = async (identity: typeof first, id: string) => {
      const messages = [eventMessage(source, event(id), { topic, partition: 0 })]
      await producer.add(identity, messages)
      await producer.produce(identity, messages, new Map())
    }
    await write(first, 'a')
    await producer.commit(first)
    const next = await producer.renew(first)
    assert.deepEqual([next.producerId, next.producerEpoch], [first.producerId, first.producerEpoch + 1])
    await write(next, 'b')
    // It would have committed what is only half there.
    await rejectsWith(producer.commit(first), 'FENCED')
    await producer.commit(next)
    const other = { ...(await producer.init(topic)), transactionalId: topic }
    await rejectsWith(producer.renew(next), 'FENCED')
    await write(other, 'c')
    await producer.commit(other)
  })

  test('an id that an origin repeats is known to the leader, also after a change of leader', async () => {
    const bus = await ready({ topic: newTopic() })
    const first = await bus.claim(source, claim('r-0'))
    assert.deepEqual(kinds(await bus.appendFenced(first, [event('a'), event('a'), event('b')])), [
      'stored',
      'duplicate',
      'stored',
    ])
    const other = event('a', { entry: 'other' })
    const next = await bus.claim(source, claim('r-1'))
    assert.deepEqual(kinds(await bus.appendFenced(next, [event('b', { position: 7 }), other])), ['duplicate', 'stored'])
    assert.equal((await bus.claim(source, claim('r-2'))).positions.get('e'), 7)
  })

  test('what a group of this cluster has consumed is committed with the events, and by nobody of an older term', async () => {
    const topic = newTopic()
    const bus = await ready({ topic })
    const origin = newTopic()
    const looking = await client()
    await looking.admin.createTopics({ topics: [origin], partitions: 2, replicas: 1 })
    const known = () => looking.topic(origin).catch(() => null)
    await until('the topic is there', async () => (await known()) !== null)
    const { cluster } = (await known())!
    assert.equal(bus.commits!(cluster, origin), true)
    assert.equal(bus.commits!('another', origin), false)
    const committed = () => looking.committed(origin, origin, [0, 1])
    const consumed = (zero: number, one: number) => ({ group: origin, topic: origin, offsets: { 0: zero, 1: one } })
    const old = await bus.claim(source, claim('r-0'))
    const first = [
      event('a', { position: 1, consumed: consumed(1, 0) }),
      event('b', { position: 2, consumed: consumed(1, 1) }),
    ]
    assert.deepEqual(kinds(await bus.appendFenced(old, first)), ['stored', 'stored'])
    await until('committed', async () => isDeepStrictEqual(await committed(), { 0: 1, 1: 1 }))
    await bus.appendFenced(old, [{ entry: 'e', position: 3, consumed: consumed(2, 1) }])
    await until('committed without an event', async () => isDeepStrictEqual(await committed(), { 0: 2, 1: 1 }))
    // Another process takes the next epoch.
    const other = await ready({ topic })
    const next = await other.claim(source, claim('r-1'))
    assert.equal(next.positions.get('e'), 3)
    assert.deepEqual(kinds(await bus.appendFenced(old, [event('late', { consumed: consumed(9, 9) })])), ['fenced'])
    await other.appendFenced(next, [event('c', { position: 4, consumed: consumed(2, 2) })])
    await until('committed', async () => isDeepStrictEqual(await committed(), { 0: 2, 1: 2 }))
    assert.deepEqual(
      (await readAll(bus, {})).map(({ id }) => id),
      ['a', 'b', 'c'],
    )
  })

  test('offsets that the broker refuses hold up no event, and are left to the source from then on', async () => {
    const topic = newTopic()
    const bus = await ready({ topic })
    const { cluster } = await (await client()).topic(topic)
    const consumed = { group: 'g', topic: 'missing', offsets: { 0: 1 } }
    const fence = await bus.claim(source, claim('r-0'))
    assert.equal(bus.commits!(cluster, 'g'), true)
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('a', { position: 1, consumed })])), ['stored'])
    assert.equal(bus.commits!(cluster, 'g'), false)
    assert.deepEqual(kinds(await bus.appendFenced(fence, [event('b', { position: 2, consumed })])), ['stored'])
    assert.deepEqual(
      (await readAll(bus, {})).map(({ id }) => id),
      ['a', 'b'],
    )
  })

  test('several partitions: an entry stays on one by hash, all are read, and there is no order to go on in', async () => {
    const topic = newTopic()
    await (await client()).admin.createTopics({ topics: [topic], partitions: 3, replicas: 1 })
    const bus = await ready({ topic, partitioner: 'hash' })
    const outcomes = await bus.append(
      source,
      numbered('p', 30, (i) => ({ entry: `e${i % 10}` })),
    )
    const seqs = outcomes.map((one) => (one as { seq: number }).seq)
    assert.equal(new Set(seqs).size, 30)
    for (let i = 0; i < 10; i++) assert.equal(new Set([seqs[i]! % 3, seqs[i + 10]! % 3, seqs[i + 20]! % 3]).size, 1)
    assert.ok(new Set(seqs.map((seq) => seq % 3)).size > 1)
    assert.equal((await readAll(bus, {})).length, 30)
    await rejectsWith(readAll(bus, { from: 5 }), 'SPEC_INVALID')
  })

  test('a broker that takes connections and answers nothing holds up nobody, though it is the first of the URL', async (t) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    t.after(() => silent.close())
    const { port } = silent.address() as AddressInfo
    const url = `127.0.0.1:${port},${(await kafka()).broker}`
    const bus = await ready({ topic: newTopic(), url })
    const first = await bus.claim(source, claim('r-0'))
    assert.deepEqual(kinds(await bus.appendFenced(first, [event('a', { position: 1 })])), ['stored'])
    assert.deepEqual(kinds(await bus.append(source, [event('b')])), ['stored'])
    assert.equal((await bus.claim(source, claim('r-1'))).positions.get('e'), 1)
    assert.equal((await readAll(bus, {})).length, 2)
    assert.deepEqual(bus.status(), { connected: true })
  })

  test('a claim on a slow cluster: the brokers are heard meanwhile, and asked for again it is the same claim', async (t) => {
    const { proxy } = await kafka()
    const bus = await ready({ topic: newTopic(), url: `127.0.0.1:${proxy.port}` })
    proxy.faults.delayMs = 200
    t.after(() => {
      proxy.faults.delayMs = 0
    })
    let [earlier, heard] = [0, 0]
    const steps = new Set<string | undefined>()
    const once = claim('r-0')
    const first = bus.claim(source, once, () => earlier++)
    const again = bus.claim(source, once, (step) => {
      heard++
      steps.add(step)
    })
    const before = earlier
    const [one, other] = await Promise.all([first, again])
    assert.equal(earlier, before, 'who asked last is told')
    assert.ok(
      [...steps].some((step) => /taking the next epoch of .* at broker 1/.test(step ?? '')),
      [...steps].join(),
    )
    assert.equal(one.term, other.term)
    assert.ok(heard > 0, 'not a word in all that time')
    proxy.faults.delayMs = 0
    assert.deepEqual(kinds(await bus.appendFenced(other, [event('a', { position: 1 })])), ['stored'])
    const next = await bus.claim(source, claim('r-1'))
    assert.equal(next.term, one.term + 1)
    assert.deepEqual(kinds(await bus.appendFenced(other, [event('late')])), ['fenced'])
  })

  test('closing waits for no broker, whatever it still owes', async (t) => {
    const { proxy } = await kafka()
    const bus = await ready({ topic: newTopic(), url: `127.0.0.1:${proxy.port}` })
    const fence = await bus.claim(source, claim('r-0'))
    proxy.faults.dropToClient = true
    proxy.faults.holdToServer = true
    t.after(() => Object.assign(proxy.faults, { dropToClient: false, holdToServer: false }))
    const events = Array.from({ length: 20 }, (_, i) => event(String(i), { event: Buffer.alloc(900_000, 'x') }))
    const [written, free] = [bus.appendFenced(fence, events), bus.append(source, events)]
    await new Promise((resolve) => setTimeout(resolve, 500))
    const began = performance.now()
    await bus.close()
    const tookMs = performance.now() - began
    assert.ok(tookMs < 5_000, `closing took ${tookMs.toFixed(0)} ms`)
    assert.ok(![...kinds(await written), ...kinds(await free)].includes('stored'))
  })

  test('TLS and SCRAM; a wrong password is said, a login that cannot be made is refused', async () => {
    const { secure: url } = await kafka()
    const key = (name: string) => ({ name: 'kafka', key: name })
    const sasl = { mechanism: 'SCRAM-SHA-512', userSecret: key('user'), passwordSecret: key('password') }
    const tls = { caCertSecret: key('ca') }
    const bus = await ready({ topic: newTopic(), url, tls, sasl })
    assert.equal(bus.transport, 'verified')
    assert.deepEqual(kinds(await bus.append(source, [event('a')])), ['stored'])
    const refused = await open({ topic: newTopic(), url, tls, sasl: { ...sasl, passwordSecret: key('wrong') } })
    await until('the password is refused', () => {
      const status = refused.status()
      return !status.connected && status.error.includes('authentication')
    })
    const plain = await open({ topic: newTopic(), url, sasl })
    await until('TLS is asked for', () => {
      const status = plain.status()
      return !status.connected && /speaks TLS.* set it/.test(status.error)
    })
    await rejectsWith(open({ topic: newTopic(), sasl: { ...sasl, mechanism: 'GSSAPI' } }), 'SPEC_INVALID')
    await rejectsWith(open({ topic: newTopic(), sasl: { mechanism: 'PLAIN' } }), 'SPEC_INVALID')
  })

  test('the password is changed at the brokers and in the Secret: it is read anew when the old one is refused', async () => {
    const { secure: url } = await kafka()
    const key = (name: string) => ({ name: 'kafka', key: name })
    const sasl = { mechanism: 'SCRAM-SHA-512', userSecret: key('user'), passwordSecret: key('password') }
    const topic = newTopic()
    const bus = await ready({ topic, url, tls: { caCertSecret: key('ca') }, sasl })
    const old = await bus.claim(source, claim('r-0'))
    assert.deepEqual(kinds(await bus.appendFenced(old, [event('a', { position: 1 })])), ['stored'])
    const plain = await client()
    await plain.topic(topic)
    await setPassword(plain, 'changed-secret')
    // Connections that there are live on; these end.
    await (await kafka()).restart()
    await until(
      'the old password is refused',
      () => {
        const status = bus.status()
        return !status.connected && status.error.includes('authentication')
      },
      60_000,
    )
    values.password = 'changed-secret'
    await until('the new one is taken', () => bus.status().connected, 60_000)
    const next = await bus.claim(source, claim('r-0'))
    assert.equal(next.positions.get('e'), 1)
    assert.deepEqual(kinds(await bus.appendFenced(next, [event('b', { position: 2 })])), ['stored'])
    assert.deepEqual(kinds(await bus.append(source, [event('c')])), ['stored'])
    assert.equal((await readAll(bus, {})).length, 3)
  })
})

/** SCRAM-SHA-512 of {@link KAFKA_USER} (KIP-554). @param client has asked for a topic before */
async function setPassword(client: KafkaClient, password: string): Promise<void> {
  const { alterUserScramCredentialsV0 } = await import('@platformatic/kafka')
  const [salt, iterations] = [randomBytes(16), 4096]
  const saltedPassword = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  const upsertions = [{ name: KAFKA_USER, mechanism: 2, iterations, salt, saltedPassword }]
  await client.askInWriting((connection) => alterUserScramCredentialsV0.api.async(connection, [], upsertions))
}
