import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { Connection } from '@platformatic/kafka'
import { fakeClock } from '../../test/fake-clock.ts'
import { connectionsOf } from './kafka-connections.ts'

const BROKER = { host: 'b', port: 9092 }
const LIMITS = { connectMs: 5_000, answerMs: 4_000 }

/** A connection that answers when the test says so, and never of itself. */
class Wire extends EventEmitter {
  connected = Promise.withResolvers<void>()
  asked: PromiseWithResolvers<string>[] = []
  open = true
  socket = Object.assign(new EventEmitter(), {
    destroy: () => {
      this.open = false
      // As the library does it.
      for (const { reject } of this.asked) reject(new Error('Connection closed'))
      this.emit('close')
    },
  })
  connect = () => this.connected.promise
  isConnected = () => true
  close = () => new Promise<void>(() => {})
}

function rig() {
  const clock = fakeClock()
  const wires: Wire[] = []
  const make = () => {
    const wire = new Wire()
    wires.push(wire)
    wire.connected.resolve()
    return wire as unknown as Connection
  }
  const connections = connectionsOf(make, LIMITS, clock)
  const question = (connection: Connection) => {
    const asked = Promise.withResolvers<string>()
    ;(connection as unknown as Wire).asked.push(asked)
    return asked.promise
  }
  const ask = (maxWaitMs = 0) => {
    const answer = connections.ask(BROKER, question, { maxWaitMs })
    answer.catch(() => {})
    return answer
  }
  return { clock, wires, connections, ask, question }
}

test('a connection over which nothing comes ends, with all that it owes; who asks next gets another one', async () => {
  const { clock, wires, ask } = rig()
  const first = ask()
  await clock.advance(2_000)
  const second = ask()
  // Not the whole answer, but the broker is there.
  wires[0]!.socket.emit('data', Buffer.of(1))
  await clock.advance(3_500)
  assert.equal(wires[0]!.open, true)
  await clock.advance(1_000)
  await assert.rejects(first, { code: 'OUTCOME_UNKNOWN', message: /broker b:9092: no answer within 4000 ms/ })
  await assert.rejects(second)
  assert.equal(wires[0]!.open, false)
  const third = ask()
  await clock.advance(1)
  wires[1]!.asked[0]!.resolve('answer')
  assert.equal(await third, 'answer')
  assert.equal(wires.length, 2)
})

test('an answer that is left out is known by the next one, also where the broker may wait', async () => {
  const { clock, wires, ask } = rig()
  const lost = ask(60_000)
  const answered = ask()
  await clock.advance(1)
  wires[0]!.asked[1]!.resolve('second')
  assert.equal(await answered, 'second')
  await clock.advance(1)
  await assert.rejects(lost, { code: 'OUTCOME_UNKNOWN', message: /left out/ })
  // In order, nothing is wrong.
  const [one, two] = [ask(), ask()]
  await clock.advance(1)
  for (const [i, { resolve }] of wires[1]!.asked.entries()) resolve(String(i))
  assert.deepEqual(await Promise.all([one, two]), ['0', '1'])
  await clock.advance(60_000)
  assert.equal(wires[1]!.open, true)
})

test('a refusal is an answer; what is given up before there is a connection is not sent; closing waits for nobody', async () => {
  const { clock, wires, connections, ask, question } = rig()
  const refused = ask()
  await clock.advance(1)
  wires[0]!.asked[0]!.reject(Object.assign(new Error('not now'), { apiCode: 51 }))
  await assert.rejects(refused, /not now/)
  assert.equal(wires[0]!.open, true)
  const given = new AbortController()
  given.abort(new Error('given up'))
  await assert.rejects(connections.ask(BROKER, question, { signal: given.signal }), /given up/)
  assert.equal(wires[0]!.asked.length, 1)
  const owed = ask()
  await clock.advance(1)
  const closing = connections.close()
  await clock.advance(1_100)
  await closing
  await assert.rejects(owed)
  await assert.rejects(ask(), /closed/)
  assert.equal(clock.timers, 0)
})

test('a connection that the library has forgotten does not hold up who asks', async () => {
  const clock = fakeClock()
  const forgotten = new Wire()
  const connections = connectionsOf(() => forgotten as unknown as Connection, LIMITS, clock)
  const answer = connections.ask(BROKER, async () => 'answer')
  answer.catch(() => {})
  await clock.advance(6_100)
  await assert.rejects(answer, { code: 'OUTCOME_UNKNOWN' })
  assert.equal(forgotten.open, false)
})
