import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { createWorkQueue, type WorkQueueOptions } from './queue.ts'

function rig(work: WorkQueueOptions['work'], more: Partial<WorkQueueOptions> = {}) {
  const clock = fakeClock()
  const errors: number[] = []
  const queue = createWorkQueue({
    clock,
    work,
    onError: (_key, _error, pauseMs) => errors.push(pauseMs),
    random: () => 1,
    ...more,
  })
  const stop = new AbortController()
  const running = queue.run(stop.signal)
  return {
    clock,
    queue,
    errors,
    async stop() {
      stop.abort()
      await running
    },
  }
}

suite('work queue', () => {
  test('a key added many times while it waits or is worked on is worked on once more, never twice at once', async () => {
    const release: (() => void)[] = []
    let at = 0
    let most = 0
    const { clock, queue, stop } = rig(async () => {
      most = Math.max(most, ++at)
      await new Promise<void>((resolve) => release.push(resolve))
      at--
    })
    for (let i = 0; i < 5; i++) queue.add('a')
    await clock.advance(0)
    assert.equal(release.length, 1)
    for (let i = 0; i < 5; i++) queue.add('a')
    await clock.advance(0)
    assert.equal(release.length, 1, 'it is being worked on')
    release[0]!()
    await clock.advance(0)
    assert.equal(release.length, 2)
    release[1]!()
    await clock.advance(1000)
    assert.equal(release.length, 2)
    assert.equal(queue.size, 0)
    assert.equal(most, 1)
    await stop()
  })

  test('a failure is tried again after growing pauses, and a success forgets them', async () => {
    let fails = 3
    const runs: number[] = []
    const { clock, queue, errors, stop } = rig(
      async () => {
        runs.push(clock.monotonic())
        if (fails-- > 0) throw new Error('no')
      },
      { backoff: { firstMs: 100, maxMs: 250 } },
    )
    const from = clock.monotonic()
    queue.add('a')
    await clock.advance(2000)
    assert.deepEqual(errors, [100, 200, 250])
    assert.deepEqual(
      runs.map((at) => at - from),
      [0, 100, 300, 550],
    )
    fails = 1
    queue.add('a')
    await clock.advance(99)
    assert.equal(errors.at(-1), 100)
    await stop()
  })

  test('what is wanted later comes at its time, sooner when it is added again, and not after the stop', async () => {
    const seen: string[] = []
    const { clock, queue, stop } = rig(async (key) => {
      seen.push(key)
      return key === 'again' ? { afterMs: 500 } : undefined
    })
    queue.add('late', 1000)
    queue.add('late', 5000)
    queue.add('soon', 1000)
    queue.add('soon', 10)
    await clock.advance(10)
    assert.deepEqual(seen, ['soon'])
    await clock.advance(990)
    assert.deepEqual(seen, ['soon', 'late'])
    queue.add('again')
    await clock.advance(1000)
    assert.deepEqual(seen.slice(2), ['again', 'again', 'again'])
    await stop()
    await clock.advance(10_000)
    assert.equal(seen.length, 5)
  })

  test('no more keys at once than there are workers, and the stop waits for them', async () => {
    const release: (() => void)[] = []
    const { clock, queue, stop } = rig(
      async () => {
        await new Promise<void>((resolve) => release.push(resolve))
      },
      { workers: 2 },
    )
    for (const key of ['a', 'b', 'c']) queue.add(key)
    await clock.advance(0)
    assert.equal(release.length, 2)
    release[0]!()
    await clock.advance(0)
    assert.equal(release.length, 3)
    let stopped = false
    const stopping = stop().then(() => {
      stopped = true
    })
    await clock.advance(0)
    assert.equal(stopped, false)
    for (const done of release) done()
    await stopping
  })
})
