/** The file is edited under load: what changes, changes; nobody else notices. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { assertAcknowledgedOnce, assertOrdered } from './checks.ts'
import { dataOf, type Rig, startRig, waitFor } from './rig.ts'
import { startCrowd } from './senders.ts'
import { assertEveryTickOnce, ticking } from './ticks.ts'

interface Edit {
  orders?: number
  clock?: number
  shop?: string
  /** More entries under `webhook`, as YAML. */
  more?: string
}

const manifest = (
  port: number,
  { orders = 3, clock = 3, shop = 'one', more = '' }: Edit = {},
) => `${ticking(clock)()}---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: orders
spec:
  replicas: ${orders}
  webhook:
    order:
      port: "${port}"
      endpoint: /orders
      method: POST
      metadata:
        shop: ${shop}
${more}`

const entry = (name: string, port: number) => `    ${name}:
      port: "${port}"
      endpoint: /${name}
      method: POST
`

async function post(port: number, path: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(5000),
  }).catch(() => null)
  return answer?.status ?? 0
}

const replicasOf = async (rig: Rig, name: string) =>
  (await rig.status()).eventSources.find((source) => source.name === name)!.replicas

/** `count` replicas, and all of them up. */
const scaledTo = (rig: Rig, count: number) =>
  waitFor(async () => {
    const replicas = [...(await replicasOf(rig, 'orders')), ...(await replicasOf(rig, 'clock'))]
    return replicas.length === 2 * count && replicas.every(({ state }) => state === 'serving' || state === 'standby')
  }, 20_000)

test('edits under load: entries come and go, metadata and replicas change, an invalid file changes nothing; nobody is refused', async (t) => {
  const rig = await startRig(([port]) => manifest(port!))
  t.after(() => rig.close(t))
  const [port, otherPort] = rig.ports as [number, number]
  const crowd = startCrowd(t, `http://127.0.0.1:${port}/orders`, { senders: 50, pauseMs: 5 })
  const between = () => pause(500)
  const applied: number[] = []
  const edit = async (yaml: string, isApplied: () => Promise<unknown>) => {
    await between()
    rig.write(yaml)
    const writtenMs = performance.now()
    await isApplied()
    applied.push(performance.now() - writtenMs)
  }
  const answers = (of: number, path: string, status: number) =>
    waitFor(async () => (await post(of, path)) === status, 20_000)

  // An entry on the port that is in use, and one on a port of its own.
  const two = entry('refunds', port) + entry('returns', otherPort)
  assert.equal(await post(port, '/refunds'), 404)
  await edit(manifest(port, { more: two }), async () => {
    await answers(port, '/refunds', 200)
    await answers(otherPort, '/returns', 200)
  })

  await edit(manifest(port, { more: two, shop: 'two' }), () =>
    waitFor(async () => {
      const { stdout } = await rig.cli('tail', '--entry', 'order', '-n', '1', '--json')
      return dataOf(JSON.parse(stdout)).metadata?.shop === 'two'
    }, 20_000),
  )

  const before = await rig.status()
  const invalid = manifest(port, { orders: 1, clock: 1 }).replace('method: POST', 'method: [POST')
  await edit(invalid, () => waitFor(async () => (await rig.status()).problems.length > 0, 20_000))
  assert.match((await rig.status()).problems.join('\n'), /sources\.yaml:\d+:\d+: error: /)
  assert.match(rig.log(), /not applied/)
  await between()
  const during = await rig.status()
  assert.deepEqual(
    during.eventSources.map(({ replicas }) => replicas.map(({ pid }) => pid)),
    before.eventSources.map(({ replicas }) => replicas.map(({ pid }) => pid)),
  )
  assert.equal(await post(otherPort, '/returns'), 200)

  await edit(manifest(port, { more: two, shop: 'two', orders: 1, clock: 1 }), () => scaledTo(rig, 1))
  assert.deepEqual((await rig.status()).problems, [])
  await edit(manifest(port, { more: two, shop: 'two' }), () => scaledTo(rig, 3))

  await edit(manifest(port), async () => {
    await answers(port, '/refunds', 404)
    await answers(otherPort, '/returns', 0)
  })
  await between()
  await crowd.stop()
  await waitFor(async () => (await rig.status()).eventSources.every(({ entries }) => entries[0]!.error === null))
  assert.equal(await rig.stop(), 0)

  const lines = await rig.lines()
  assertOrdered(lines)
  const orders = lines.filter(({ subject }) => subject === 'default.orders.order')
  assertAcknowledgedOnce(orders, crowd.acknowledged)
  const ticks = assertEveryTickOnce(lines.filter(({ subject }) => subject === 'default.clock.tick'))
  t.diagnostic(
    `${crowd.acknowledged.length} acknowledged, ${ticks} ticks; edits took ${applied.map((ms) => ms.toFixed(0)).join(', ')} ms; ` +
      `answers: ${[...crowd.statuses].map(([status, times]) => `${status}: ${times}`).join(', ')}`,
  )
  assert.deepEqual([...crowd.failures], [], 'a connection was refused or broken')
  assert.deepEqual([...crowd.statuses.keys()], [200], 'a sender was refused')
  assert.equal(orders.length, crowd.acknowledged.length)
  assert.ok(lines.some((line) => line.subject === 'default.orders.returns'))
})

test('the only replica is edited under load: its connections are kept', async (t) => {
  const rig = await startRig(([port]) => manifest(port!, { orders: 1, clock: 1 }))
  t.after(() => rig.close(t))
  const [port] = rig.ports as [number]
  const crowd = startCrowd(t, `http://127.0.0.1:${port}/orders`, { senders: 50, pauseMs: 5 })
  for (let i = 0; i < 5; i++) {
    await pause(400)
    rig.write(manifest(port, { orders: 1, clock: 1, shop: `number-${i}` }))
    await waitFor(async () => {
      const { stdout } = await rig.cli('tail', '--entry', 'order', '-n', '1', '--json')
      return dataOf(JSON.parse(stdout)).metadata?.shop === `number-${i}`
    }, 20_000)
  }
  await crowd.stop()
  assert.equal(await rig.stop(), 0)
  const lines = await rig.lines()
  assertAcknowledgedOnce(
    lines.filter(({ subject }) => subject === 'default.orders.order'),
    crowd.acknowledged,
  )
  const ticks = assertEveryTickOnce(lines.filter(({ subject }) => subject === 'default.clock.tick'))
  t.diagnostic(`${crowd.acknowledged.length} acknowledged, ${ticks} ticks`)
  assert.deepEqual([...crowd.failures], [], 'a connection was refused or broken')
  assert.deepEqual([...crowd.statuses.keys()], [200], 'a sender was refused')
})
