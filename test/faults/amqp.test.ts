/** RabbitMQ: see delivery.ts. And a queue that is full before anybody comes. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect } from 'amqplib'
import { PREFETCH } from '../../src/sources/amqp/declare.ts'
import { without } from '../servers/cache.ts'
import { rabbitmqBinary, startRabbitmq } from '../servers/rabbitmq.ts'
import { manifest, sharedServer } from './broker.ts'
import { amqpAdapters, durableQueue, rabbitBroker } from './brokers/amqp.ts'
import { count, deliveryContract, FULL, settledLog } from './delivery.ts'
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
