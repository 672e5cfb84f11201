/** RabbitMQ: see delivery.ts. And a queue that is full before anybody comes. */

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect } from 'amqplib'
import { PREFETCH } from '../../src/sources/amqp/declare.ts'
import { FULL } from '../full.ts'
import { amqpAdapters, durableQueue, rabbitBroker, streamQueue } from '../origins/amqp.ts'
import { manifest, sharedServer } from '../origins/broker.ts'
import { without } from '../servers/cache.ts'
import { rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { count, deliveryContract, settledLog } from './delivery.ts'
import { nextLeader, startRig, waitFor } from './rig.ts'

const skip = without('rabbitmq-server', rabbitmqBinary())
const rabbitmq = sharedServer(startRabbitmq)
after(rabbitmq.close)

for (const adapter of amqpAdapters(rabbitmq.get)) deliveryContract(adapter)

for (const withId of [true, false]) {
  const waiting = FULL || withId ? 20_000 : 5_000
  test(`${waiting} messages wait ${withId ? 'with' : 'without'} a message-id, one kill -9 in the middle: none lost, copies ${withId ? 'none' : 'at most the prefetch'}`, {
    skip,
  }, async (t) => {
    const name = `full-${withId}`
    const server = await rabbitmq.get()
    const made = await rabbitBroker(server, { name, queue: durableQueue(name), withId })
    const model = await connect(server.url)
    const channel = await model.createChannel()
    await channel.assertExchange(name, 'direct', { durable: true })
    await channel.assertQueue(name, { durable: true })
    await channel.bindQueue(name, name, 'number')
    await model.close()
    for (let n = 0; n < waiting; n += 1_000) {
      await made.send(Array.from({ length: 1_000 }, (_, i) => JSON.stringify({ n: n + i })))
    }
    await made.close()
    const rig = await startRig(() => manifest('amqp', made.spec, 3))
    t.after(() => rig.close(t))
    const leader = await nextLeader(rig, 'queue', null)
    const published = async () => (await rig.status()).eventSources[0]!.entries[0]!.published
    await waitFor(async () => (await published()) > waiting / 5, 30_000)
    process.kill(leader.pid, 'SIGKILL')
    const atKill = await published()
    const { lost, doubled } = count(await settledLog(rig, waiting), waiting)
    assert.equal(await rig.stop(), 0)
    t.diagnostic(`killed after ${atKill} of ${waiting}: ${lost.length} lost, ${doubled} doubled`)
    assert.ok(atKill < waiting, 'all was published before the kill')
    assert.deepEqual(lost, [])
    assert.ok(doubled <= (withId ? 0 : PREFETCH), `${doubled} copies`)
  })
}

test('a stream: stopped, five published, started: all five, once', { skip }, async (t) => {
  const name = 'stopped-stream'
  const made = await rabbitBroker(await rabbitmq.get(), { name, queue: streamQueue(name), withId: false })
  t.after(() => made.close())
  const texts = (from: number) => Array.from({ length: 5 }, (_, i) => JSON.stringify({ n: from + i }))
  const rig = await startRig(() => manifest('amqp', made.spec, 2))
  t.after(() => rig.close(t))
  await nextLeader(rig, 'queue', null)
  // It is made by the entry.
  await waitFor(
    () =>
      made.send(texts(0)).then(
        () => true,
        () => false,
      ),
    30_000,
  )
  await settledLog(rig, 5)
  assert.equal(await rig.stop(), 0)
  await made.send(texts(5))
  await rig.restart()
  const { lost, doubled } = count(await settledLog(rig, 10), 10)
  assert.deepEqual([lost, doubled], [[], 0])
  assert.equal(await rig.stop(), 0)
})

test('a message too large for the bus: in the dead-letter exchange, counted, shown with its name; the next one is served', {
  skip,
}, async (t) => {
  const name = 'too-large'
  const server = await rabbitmq.get()
  const model = await connect(server.url)
  t.after(() => model.close())
  const channel = await model.createChannel()
  await channel.assertExchange('dead', 'fanout')
  await channel.assertQueue('dead', { durable: true })
  await channel.bindQueue('dead', 'dead', '')
  const queue = `queueDeclare: { name: ${name}, durable: true, arguments: "x-dead-letter-exchange: dead" }`
  const made = await rabbitBroker(server, { name, queue, withId: true })
  t.after(() => made.close())
  const rig = await startRig(() => manifest('amqp', made.spec, 1))
  t.after(() => rig.close(t))
  await nextLeader(rig, 'queue', null)
  const sent = (texts: string[]) =>
    made.send(texts).then(
      () => true,
      () => false,
    )
  await waitFor(() => sent([JSON.stringify({ n: 7, huge: 'x'.repeat(9 << 20) })]), 30_000)
  await made.send([JSON.stringify({ n: 0 })])
  await settledLog(rig, 1)
  let dead = await channel.get('dead', { noAck: true })
  await waitFor(async () => {
    if (dead === false) dead = await channel.get('dead', { noAck: true })
    return dead !== false
  }, 30_000)
  assert.equal(JSON.parse((dead as { content: Buffer }).content.toString()).n, 7)
  const [entry] = (await rig.status()).eventSources[0]!.entries
  assert.equal(entry!.skipped, 1)
  assert.match(
    entry!.error!,
    /^skipped message m-7 \(exchange too-large, .*\) of queue too-large: event \S+ has \d+ bytes, the bus takes 8388608; it is rejected: it goes to the dead-letter exchange/,
  )
  assert.equal((await rig.lines()).length, 1)
  assert.equal(await rig.stop(), 0)
})
