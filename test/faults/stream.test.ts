/** `/v1/events`, resumed with `Last-Event-ID` across a killed and restarted run: no gap, no repeat. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { listenFrom } from './listener.ts'
import { orders, ordersUrl } from './orders.ts'
import { startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'

test('a stream resumed across kill -9 and a graceful restart of the run, and of its bus, has every event once, in order', async (t) => {
  const rig = await startRig(orders(2))
  t.after(() => rig.close(t))
  const listener = listenFrom(`${rig.api}/v1/events?from=start`)
  t.after(() => listener.close())
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
