/** `/v1/events`, resumed with `Last-Event-ID` across a killed and restarted run: no gap, no repeat. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { orders, ordersUrl } from './orders.ts'
import { type Line, startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'

interface Listener {
  readonly lines: Line[]
  readonly connections: number
}

/** Listens as a browser's `EventSource` does: comes back after each end with the last id that it saw. */
function listenFrom(t: TestContext, url: string): Listener {
  const gone = new AbortController()
  t.after(() => gone.abort())
  const lines: Line[] = []
  let connections = 0
  let lastId = ''
  const take = (block: string) => {
    const id = /^id: (.*)$/m.exec(block)?.[1]
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (id === undefined || data === undefined) return
    lastId = id
    lines.push(JSON.parse(data) as Line)
  }
  const once = async () => {
    const answer = await fetch(url, {
      headers: lastId === '' ? {} : { 'last-event-id': lastId },
      signal: gone.signal,
    })
    assert.equal(answer.status, 200)
    connections++
    let rest = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) take(block)
    }
  }
  const listen = async () => {
    while (!gone.signal.aborted) {
      // An end of any kind is a reason to come back.
      await once().catch(() => {})
      await pause(50)
    }
  }
  void listen()
  return {
    lines,
    get connections() {
      return connections
    },
  }
}

test('a stream resumed across kill -9 and a graceful restart of the run, and of its bus, has every event once, in order', async (t) => {
  const rig = await startRig(orders(2))
  t.after(() => rig.close(t))
  const listener = listenFrom(t, `${rig.api}/v1/events?from=start`)
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 20, pauseMs: 5 })
  const goesOn = async () => {
    const before = listener.lines.length
    await waitFor(async () => listener.lines.length > before + 100, 15_000)
  }
  await goesOn()
  await rig.killAll()
  await rig.restart()
  await goesOn()
  process.kill(rig.supervisor.pid!, 'SIGKILL')
  await rig.restart()
  await goesOn()
  process.kill(await rig.busPid(), 'SIGKILL')
  await goesOn()
  assert.equal(await rig.stop(), 0)
  await rig.restart()
  await goesOn()
  await crowd.stop()
  const lines = await rig.lines()
  await waitFor(async () => listener.lines.length >= lines.length, 15_000)
  // Whatever came too often would come now.
  await pause(200)
  assert.equal(await rig.stop(), 0)
  assert.deepEqual(
    listener.lines.map(({ seq }) => seq),
    lines.map(({ seq }) => seq),
  )
  assert.deepEqual(
    listener.lines.map(({ event }) => event.id),
    lines.map(({ event }) => event.id),
  )
  t.diagnostic(`${lines.length} events over ${listener.connections} connections`)
  assert.ok(listener.connections >= 4)
})
