import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedRuns } from './shared.ts'

test('who asks while it runs shares the next run, which begins after they asked; a failure is of its own run alone', async () => {
  const runs: PromiseWithResolvers<number>[] = []
  const ask = sharedRuns((heard) => {
    heard()
    runs.push(Promise.withResolvers<number>())
    return runs.at(-1)!.promise
  })
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const heard: string[] = []
  const first = ask(() => heard.push('first'))
  await turn()
  const others = Array.from({ length: 100 }, () => ask(() => heard.push('other')))
  await turn()
  assert.equal(runs.length, 1, 'never twice at a time')
  assert.deepEqual(heard, ['first'])
  runs[0]!.reject(new Error('not now'))
  await assert.rejects(first, /not now/)
  await turn()
  assert.equal(runs.length, 2, 'one run for all who waited')
  assert.equal(heard.length, 101)
  const late = ask()
  runs[1]!.resolve(2)
  assert.deepEqual(new Set(await Promise.all(others)), new Set([2]))
  await turn()
  runs[2]!.resolve(3)
  assert.equal(await late, 3)
})
