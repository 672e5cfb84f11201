/** Deliveries of what is on a real NATS: others' messages between the events, a stream that is purged, or deleted and made anew. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { deliveryTo, hurried, idsOf, receiver, recorder, takenIds } from '../../src/api/delivery/receiver.fixture.ts'
import { encodeEvent } from '../../src/core/event.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { until } from './bus.ts'
import { claimOf, jetStreamFor, newSource } from './jetstream.fixture.ts'

const skip = without('nats-server', natsBinary('newest'))

suite('deliveries from jetstream', { skip, timeout: 120_000 }, () => {
  const begin = async (t: Parameters<typeof jetStreamFor>[0]) => {
    const fixture = await jetStreamFor(t)
    const { bus } = await fixture.open()
    const source = newSource()
    const nc = await connect({ servers: fixture.urls })
    t.after(() => nc.close())
    const append = async (from: number, to: number) => {
      for (let i = from; i <= to; i++) {
        const id = `n${i}`
        const event = encodeEvent(
          { id, source: source.name, type: 'webhook', subject: 'e', timeMs: 0 },
          Buffer.from('{}'),
        )
        const [outcome] = await bus.append(source, [{ entry: 'e', id, event }])
        assert.equal(outcome!.outcome, 'stored')
      }
    }
    return { fixture, bus, source, nc, jsm: await jetstreamManager(nc), append }
  }
  const numbered = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `n${from + i}`)

  test('a stream that Argo Events made anew, with numbers from 1, is delivered from its beginning', async (t) => {
    const { bus, jsm, append } = await begin(t)
    const to = await receiver(t)
    const { log, has } = recorder()
    const delivery = await deliveryTo(t, bus, to.url, { clock: hurried, log })
    await append(1, 5)
    await until('the old stream', () => delivery.status().delivered === 5)
    const { config } = await jsm.streams.info('default')
    await jsm.streams.delete('default')
    await jsm.streams.add({ ...config, first_seq: undefined as never })
    await until('the bus is back', () => bus.status().connected)
    await append(6, 8)
    await until('the new stream', () => takenIds(to.got).length === 8, 60_000)
    assert.deepEqual(takenIds(to.got), numbered(1, 8))
    assert.ok(has('error the log was made anew') >= 1)
    assert.ok(delivery.status().cursor < 1000)
  })

  test('a purge while an event is held: what is gone is counted, what comes is delivered', async (t) => {
    const { bus, jsm, append } = await begin(t)
    const to = await receiver(t)
    const { log, has } = recorder()
    const delivery = await deliveryTo(t, bus, to.url, { clock: hurried, log })
    await append(1, 1)
    await until('the first', () => delivery.status().delivered === 1)
    to.answers = () => 401
    // more than waits in this process
    await append(2, 700)
    await until('it is held', () => delivery.status().held !== undefined)
    await jsm.streams.purge('default')
    await until('it is told', () => (delivery.status().held?.droppedAfter ?? 0) > 0, 30_000)
    assert.equal(delivery.status().held?.id, 'n2')
    to.answers = () => 200
    await append(701, 703)
    await until('the rest', () => takenIds(to.got).at(-1) === 'n703', 60_000)
    const { lost } = delivery.status()
    assert.equal(lost, 703 - takenIds(to.got).length)
    assert.ok(lost > 0 && has('error the bus let events go') >= 1)
    assert.deepEqual(takenIds(to.got).slice(-3), numbered(701, 703))
  })

  test("others' messages and term records: nothing is stuck, nothing is taken for lost", async (t) => {
    const { bus, source, nc, jsm, append } = await begin(t)
    const to = await receiver(t)
    const delivery = await deliveryTo(t, bus, to.url, { clock: hurried, mode: 'binary' })
    await append(1, 2)
    nc.publish(`default.${source.name}.e`, 'not json at all')
    await nc.flush()
    // a term record for each
    for (let i = 0; i < 5; i++) await bus.claim(source, claimOf(`r-${i}`))
    await until('three', () => delivery.status().delivered === 3)
    const { state } = await jsm.streams.info('default')
    await until('the cursor passes the records', () => delivery.status().cursor === state.last_seq, 30_000)
    await jsm.streams.purge('default')
    await append(3, 3)
    await until('the last', () => delivery.status().delivered === 4)
    await hurried.sleep(30_000)
    assert.equal(delivery.status().lost, 0)
    assert.equal(to.got[2]!.body, 'not json at all')
    await delivery.stop()
  })

  test('a bus whose server is killed and comes back: every event, in order', async (t) => {
    const { fixture, bus, append } = await begin(t)
    const to = await receiver(t)
    const delivery = await deliveryTo(t, bus, to.url, { clock: hurried })
    await append(1, 20)
    await until('before', () => delivery.status().delivered === 20)
    for (const [from, end] of [
      [21, 30],
      [31, 40],
    ] as const) {
      await fixture.servers[0]!.kill()
      await fixture.servers[0]!.restart()
      await until('the bus is back', () => bus.status().connected, 30_000)
      await append(from, end)
      await until('after', () => delivery.status().delivered >= end, 30_000)
    }
    assert.deepEqual(idsOf(to.got), numbered(1, 40))
    assert.equal(delivery.status().lost, 0)
  })
})
