/** `--deliver` to a receiver that fails in every way, while the run is killed: every event arrives, in order. */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { DeliveryStatus } from '../../src/api/status.ts'
import { FULL } from '../full.ts'
import { directory } from '../local/program.ts'
import { assertAcknowledgedOnce } from './checks.ts'
import { orders, ordersUrl } from './orders.ts'
import { type Behaviour, type Received, type Receiver, startReceiver } from './receiver.ts'
import { dataOf, type Line, startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'

/** Those that were answered 200, each at its first time, are the events of the log, in its order. */
function assertAllTakenInOrder(lines: Line[], received: Received[]): void {
  const firsts = new Set(received.filter(({ taken }) => taken).map(({ id }) => id))
  assert.deepEqual(
    [...firsts],
    lines.map(({ event }) => event.id),
  )
}

/** No event is offered before the one before it was taken. Only who was killed may go back, and not beyond its cursor. */
function goingBack(lines: Line[], received: Received[]): number[] {
  const place = new Map(lines.map(({ event }, i) => [event.id, i]))
  const back: number[] = []
  let [next, taken] = [0, false]
  for (const one of received) {
    const at = place.get(one.id)
    assert.ok(at !== undefined, `${one.id} is not on the log`)
    if (at < next || (at === next && taken)) back.push(next - at + 1)
    else if (at > next) {
      assert.equal(at, next + 1, 'an event was stepped over')
      assert.ok(taken, 'the next event was sent before this one was taken')
    }
    ;[next, taken] = [at, one.taken]
  }
  return back
}

const allTaken = (receiver: Receiver, count: () => number) =>
  waitFor(
    async () => new Set(receiver.received.filter(({ taken }) => taken).map(({ id }) => id)).size >= count(),
    30_000,
  )

test('the receiver refuses, resets, hangs and is gone for a while; the run is killed: every event arrives, in order', async (t) => {
  const receiver = await startReceiver(t)
  const rig = await startRig(orders(2), { args: ['--deliver', receiver.url] })
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 5, pauseMs: 50 })
  const goesOn = async (count = 20) => {
    const before = receiver.received.filter(({ taken }) => taken).length
    await waitFor(async () => receiver.received.filter(({ taken }) => taken).length >= before + count, 20_000)
  }
  const tried = async (count: number) => {
    const before = receiver.counts[receiver.behaves]
    await waitFor(async () => receiver.counts[receiver.behaves] >= before + count, 20_000)
  }
  await goesOn()
  receiver.behaves = 'refuses'
  await tried(3)
  receiver.behaves = 'takes'
  await goesOn()
  receiver.behaves = 'resets'
  await tried(3)
  // Killed with an event that it cannot deliver.
  await rig.killAll()
  receiver.behaves = 'takes'
  await rig.restart()
  await goesOn()
  await receiver.goDown()
  await waitFor(async () => rig.log().includes('delivery fails'), 10_000)
  await pause(300)
  await receiver.comeBack()
  await goesOn()
  // Killed in the middle of delivering.
  process.kill(rig.supervisor.pid!, 'SIGKILL')
  await rig.restart()
  await goesOn()
  receiver.behaves = 'never'
  await tried(1)
  process.kill(rig.supervisor.pid!, 'SIGKILL')
  receiver.behaves = 'takes'
  await rig.restart()
  await goesOn()
  await crowd.stop()
  const lines = await rig.lines()
  assertAcknowledgedOnce(lines, crowd.acknowledged)
  await allTaken(receiver, () => lines.length)
  assert.equal(await rig.stop(), 0)
  const beforeLast = receiver.received.length
  // After a graceful end nothing is repeated, and what comes then is delivered.
  await rig.restart()
  const answer = await fetch(ordersUrl(rig), { method: 'POST', body: '{"key":"last"}' })
  assert.equal(answer.status, 200)
  await waitFor(async () => receiver.received.length > beforeLast)
  assert.equal(await rig.stop(), 0)
  const all = await rig.lines()
  assert.equal(all.length, lines.length + 1)
  assert.deepEqual(
    receiver.received.slice(beforeLast).map(({ id }) => id),
    [all.at(-1)!.event.id],
  )
  assertAllTakenInOrder(all, receiver.received)
  const back = goingBack(all, receiver.received)
  const { takes, refuses, resets, never } = receiver.counts
  t.diagnostic(
    `${all.length} events; taken ${takes} times, refused ${refuses}, reset ${resets}, left hanging ${never}; ` +
      `went back after a kill by ${back.join(', ') || 'nothing'}`,
  )
  assert.ok(back.length <= 3, 'it went back more often than it was killed')
})

test('a receiver that answers 401, 404, 302, 500, 429, resets or is silent for long: everything is held, shown and then delivered', async (t) => {
  const receiver = await startReceiver(t)
  const address = join(directory(t), 'address')
  writeFileSync(address, `${receiver.url}?token=s3cr3t-token\n`)
  const rig = await startRig(orders(2), { args: ['--deliver-file', address] })
  t.after(() => rig.close(t))
  const crowd = startCrowd(t, ordersUrl(rig), { senders: 2, pauseMs: 200 })
  const full = FULL
  /** Until the receiver has refused often and long. */
  const heldOut = async (behaves: Behaviour, tries: number, ms: number) => {
    receiver.behaves = behaves
    const [before, begun] = [receiver.counts[behaves], performance.now()]
    await waitFor(
      async () => receiver.counts[behaves] >= before + tries && performance.now() - begun >= ms,
      240_000,
      100,
    )
  }
  const takes = async () => {
    receiver.behaves = 'takes'
    const before = receiver.received.filter(({ taken }) => taken).length
    await waitFor(async () => receiver.received.filter(({ taken }) => taken).length >= before + 10, 60_000)
  }
  await takes()
  // Ten refusals, some 40 s, were once taken for a verdict on the event.
  await heldOut('unauthorized', 10, 40_000)
  const { deliver } = (await rig.status()) as unknown as { deliver: DeliveryStatus }
  const last = receiver.received.at(-1)!.id
  assert.match(deliver.error ?? '', /answered 401 Unauthorized: your token has expired/)
  assert.ok(!deliver.error?.includes('\u001b'), 'what a terminal obeys is not shown')
  assert.equal(deliver.held?.id, last)
  assert.ok(deliver.refused['401']! >= 9 && deliver.held!.refusals >= 9)
  assert.ok(Date.now() - Date.parse(deliver.errorSince!) >= 39_000)
  const text = (await rig.cli('status')).stdout
  assert.match(text, /answered 401 Unauthorized: your token has expired/)
  assert.match(text, new RegExp(`event ${last} of default.orders.order, number \\d+, was tried \\d+ times`))
  const at = async (path: string) => {
    const answer = await fetch(`${rig.api}${path}`)
    return [answer.status, await answer.text()] as const
  }
  const [notReady, why] = await at('/readyz/delivery')
  assert.equal(notReady, 503)
  assert.match(why, /^held up since .*answered 401/)
  assert.equal((await at('/readyz'))[0], 200, 'who sends events is served all the same')
  const [, metrics] = await at('/metrics')
  assert.match(metrics, /^vedette_deliver_refused_total\{reason="401"\} \d+$/m)
  assert.ok(Number(/^vedette_deliver_oldest_undelivered_seconds (.*)$/m.exec(metrics)?.[1]) > 38)
  assert.match(metrics, /^vedette_deliver_failing 1$/m)
  assert.equal(rig.log().split('delivery fails').length, 2, 'one line for one change of state')
  await takes()
  assert.ok(receiver.received.some(({ id, taken }) => taken && id === last))
  // Everything killed with an event undelivered.
  await heldOut('unauthorized', 3, 0)
  await rig.killAll()
  await rig.restart()
  await heldOut('unauthorized', 1, 0)
  await takes()
  for (const behaves of ['missing', 'redirects', 'fails', 'slows', 'resets'] as const) {
    await heldOut(behaves, full ? 10 : 4, full ? 40_000 : 0)
    if (behaves === 'redirects') await rig.killAll().then(() => rig.restart())
    await takes()
  }
  await heldOut('never', 1, full ? 40_000 : 0)
  process.kill(rig.supervisor.pid!, 'SIGKILL')
  await rig.restart()
  await takes()
  await crowd.stop()
  const lines = await rig.lines()
  assertAcknowledgedOnce(lines, crowd.acknowledged)
  await allTaken(receiver, () => lines.length)
  assertAllTakenInOrder(lines, receiver.received)
  const back = goingBack(lines, receiver.received)
  await waitFor(async () => (await at('/readyz/delivery'))[0] === 200)
  assert.ok(!rig.log().includes('s3cr3t-token'))
  assert.equal(receiver.received[0]!.headers['user-agent']?.startsWith('vedette/'), true)
  t.diagnostic(
    `${lines.length} events; ${JSON.stringify(receiver.counts)}; went back after a kill by ${back.join(', ') || 'nothing'}`,
  )
})

for (const mode of ['structured', 'binary'] as const) {
  test(`${mode} mode is read by the CloudEvents SDK`, async (t) => {
    const receiver = await startReceiver(t)
    const rig = await startRig(orders(2), { args: ['--deliver', receiver.url, '--deliver-mode', mode] })
    t.after(() => rig.close(t))
    const body = { key: 'ä "quoted" 100 %', list: [1, 2.5, null] }
    const answer = await fetch(ordersUrl(rig), {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(answer.status, 200)
    await waitFor(async () => receiver.received.length > 0)
    assert.equal(await rig.stop(), 0)
    const [line] = (await rig.lines()) as [Line]
    const [{ event, headers }] = receiver.received as [Received]
    assert.match(
      String(headers['content-type']),
      mode === 'structured' ? /^application\/cloudevents\+json/ : /^application\/json/,
    )
    assert.equal(headers['ce-id'], mode === 'structured' ? undefined : line.event.id)
    assert.ok(event.validate())
    assert.equal(event.id, line.event.id)
    assert.equal(event.source, line.event.source)
    assert.equal(event.subject, line.event.subject)
    assert.equal(event.type, 'webhook')
    assert.equal(event.time, new Date(line.event.time).toISOString())
    // The SDK gives the bytes of `data_base64` as an array of numbers.
    const data = ArrayBuffer.isView(event.data)
      ? JSON.parse(Buffer.from(event.data as Uint32Array).toString())
      : event.data
    assert.deepEqual(data, dataOf(line))
    assert.deepEqual(data.body, body)
  })
}
