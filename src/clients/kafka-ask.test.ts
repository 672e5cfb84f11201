import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Admin } from '@platformatic/kafka'
import { fakeClock } from '../../test/fake-clock.ts'
import { adminsOf, takeTurns } from './kafka-ask.ts'

const never = <T>() => new Promise<T>(() => {})

test('who is silent does not hold up the others, and who answered is asked first from then on', async () => {
  const clock = fakeClock()
  const turns = takeTurns(clock)
  const asked: string[] = []
  const ask = () =>
    turns.ask(['a', 'b', 'c'], async (one) => {
      asked.push(one)
      return await (one === 'b' ? one : never<string>())
    })
  const first = ask()
  await clock.advance(900)
  assert.deepEqual(asked, ['a'])
  await clock.advance(200)
  assert.equal(await first, 'b')
  await clock.advance(60_000)
  assert.deepEqual(asked, ['a', 'b'], 'nobody is asked once there is an answer')
  assert.equal(await ask(), 'b')
  assert.deepEqual(asked, ['a', 'b', 'b'])
  assert.equal(turns.answeredLast('b'), true)
})

test('after a failure the next is asked at once; when all fail it is the last failure; a refusal of a broker is an answer', async () => {
  const clock = fakeClock()
  const turns = takeTurns(clock)
  const asked: string[] = []
  const failing = turns.ask(['a', 'b'], async (one) => {
    asked.push(one)
    throw new Error(`${one} is not there`)
  })
  await assert.rejects(failing, /b is not there/)
  assert.deepEqual(asked, ['a', 'b'])
  asked.length = 0
  const saying = (apiCode: number) =>
    turns.ask(['a', 'b'], async (one) => {
      asked.push(one)
      throw Object.assign(new Error(`${one} says ${apiCode}`), { apiCode })
    })
  await assert.rejects(saying(29), /a says 29/)
  assert.deepEqual(asked, ['a'])
  assert.equal(turns.answeredLast('a'), true)
  // COORDINATOR_NOT_AVAILABLE: another broker may know.
  await assert.rejects(saying(15), /b says 15/)
  const half = turns.ask(['a', 'b'], async (one) => {
    if (one === 'a') return await never<string>()
    throw Object.assign(new Error('not now'), { apiCode: 15 })
  })
  half.catch(() => {})
  await clock.advance(3_500)
  await assert.rejects(half, /not now/)
  await assert.rejects(turns.ask([], never), /no broker is known/)
})

test('a question that the library has forgotten does not wait for ever, nor do those who ask the same later', async () => {
  const clock = fakeClock()
  const made: { address: string; closed: boolean }[] = []
  const make = (address: string) => {
    const one = { address, closed: false }
    made.push(one)
    const close = async () => {
      one.closed = true
    }
    return { one, close } as unknown as Admin
  }
  const admins = adminsOf(make, ['a'], clock)
  const isFirst = (admin: Admin) => (admin as unknown as { one: object }).one === made[0]
  const question = (admin: Admin) => (isFirst(admin) ? never<string>() : Promise.resolve('answer'))
  const lost = admins.ask(question)
  lost.catch(() => {})
  await clock.advance(60_000)
  await assert.rejects(lost, /no answer within/)
  assert.equal(await admins.ask(question), 'answer')
  assert.deepEqual(made, [
    { address: 'a', closed: true },
    { address: 'a', closed: false },
  ])
  await admins.close()
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [true, true],
  )
  await assert.rejects(admins.ask(question), /closed/)
})
