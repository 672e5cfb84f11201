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

test('a question that the library has forgotten is asked of a new one, and so is what others ask; whoever answers first counts', async () => {
  const clock = fakeClock()
  const made: { closed: boolean }[] = []
  const answers: ((text: string) => void)[] = []
  const make = () => {
    const one = { closed: false }
    made.push(one)
    const close = async () => {
      one.closed = true
    }
    return { one, close } as unknown as Admin
  }
  const admins = adminsOf(make, ['a'], clock)
  const question = () => new Promise<string>((resolve) => answers.push(resolve))
  const closed = () => made.map((one) => one.closed)
  const slow = admins.ask(question)
  await clock.advance(3_900)
  assert.equal(made.length, 1)
  await clock.advance(200)
  assert.deepEqual(closed(), [false, false], 'the first may still answer')
  const other = admins.ask(question)
  assert.equal(made.length, 2, 'others ask the new one')
  answers[2]!('other')
  assert.equal(await other, 'other')
  answers[0]!('late')
  assert.equal(await slow, 'late')
  assert.deepEqual(closed(), [true, false])

  const lost = admins.ask(question)
  lost.catch(() => {})
  await clock.advance(12_100)
  await assert.rejects(lost, { code: 'OUTCOME_UNKNOWN' })
  assert.equal(made.length, 4)
  assert.deepEqual(closed(), [true, true, true, true], 'nobody waits for them any more')
  const once = admins.askOnce(question)
  once.catch(() => {})
  await clock.advance(10_100)
  await assert.rejects(once, { code: 'OUTCOME_UNKNOWN' })
  assert.equal(made.length, 5, 'asked once')
  const last = admins.ask(async () => 'answer')
  assert.equal(await last, 'answer')
  assert.deepEqual(closed(), [true, true, true, true, true, false])
  await admins.close()
  assert.deepEqual(new Set(closed()), new Set([true]))
  await assert.rejects(admins.ask(question), /closed/)
  assert.equal(clock.timers, 0)
})
