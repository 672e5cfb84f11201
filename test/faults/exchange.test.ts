/**
 * The exchange there and back on nodes that really run Pods, from the state that Argo Events leaves, under load. NATS, Kubernetes, our image and `vedette
 * migrate` are real; what stands for Argo Events' own program is said in test/controller/theirs/main.ts. Judged by the stream, read at the end.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { IMAGE, vedetteAt } from '../controller/exchange-rig.ts'
import { followRollouts, type Rollouts } from '../controller/theirs/cluster.ts'
import { hooksOf, judgeRow, type Phase, rowOf } from '../controller/theirs/load.ts'
import { type Exchanged, startExchange } from '../controller/theirs/world.ts'
import { FULL } from '../full.ts'
import { without } from '../servers/cache.ts'
import { electorBinary } from '../servers/client-go.ts'
import { withoutNodes } from '../servers/kubernetes/build.ts'
import { natsBinary } from '../servers/nats.ts'

const skip =
  withoutNodes() ||
  without("NATS as Argo Events' latest", natsBinary('argo')) ||
  without("client-go's elector", electorBinary())
/** What Argo Events' Pods lose when they follow ours, or one another: they begin at their own now, once they have started, are elected and have found the bus. */
const MOST_LOST_MS = 20_000

interface Extent {
  namespaces: string[]
  /** EventSources in each. */
  sources: number
  times: number
  /** Of one EventSource, from the change of its Deployment to the last Pod, milliseconds. */
  readyMs: number
}

// A cluster whose Pods are all replaced takes minutes: only in full runs.
if (FULL) {
  exchange('one namespace, three times in a row', { namespaces: ['shop'], sources: 5, times: 3, readyMs: 30_000 })
  // 34 Pods that start at once share two cores with all of the load.
  exchange('20 EventSources in two namespaces', {
    namespaces: ['shop', 'depot'],
    sources: 10,
    times: 1,
    readyMs: 240_000,
  })
}

function exchange(title: string, { namespaces, sources, times, readyMs }: Extent): void {
  // As many more Pods start at once on the same machine.
  const slower = (namespaces.length * sources) / 5
  suite(`the exchange on nodes: ${title}`, { skip, timeout: 1_200_000 }, () => {
    let world: Exchanged
    before(async () => {
      world = await startExchange(namespaces, sources)
    })
    after(() => world?.stop())

    test(`there and back, ${times} times: nothing lost, nothing doubled, addresses stay`, async (t) => {
      t.after(async () => t.passed || process.stderr.write(await world.troubles()))
      const { kubernetes, places } = world
      const vedette = vedetteAt(kubernetes)
      // The files are a folder of the nodes, which is the machine.
      const options = ['--image', IMAGE, '--timeout', `${240 * slower}`, '--pod-security', 'as-written']
      const say = (what: string, sinceMs: number) =>
        t.diagnostic(`${what} ${((Date.now() - sinceMs) / 1_000).toFixed(0)} s`)
      const phases: Phase[] = []
      const late: string[] = []

      const planned = async () => {
        const { code, out, err } = await vedette('migrate', 'plan', ...options, '--json')
        assert.equal(code, 0, err)
        const { steps } = JSON.parse(out) as { steps: { object: string }[] }
        const objects = new Set(steps.map(({ object }) => object))
        for (const { namespace, sources: all } of places) {
          const wanted = [`StatefulSet ${namespace}/eventbus-default-js`, `Sensor ${namespace}/orders`]
          for (const { object } of all) wanted.push(`EventSource ${namespace}/${object.metadata.name}`)
          assert.deepEqual(
            wanted.filter((one) => !objects.has(one)),
            [],
          )
        }
      }
      const judgeRollouts = ({ took }: Rollouts) => {
        for (const [name, tookMs] of took) {
          t.diagnostic(`${name}: every Pod ours and ready after ${(tookMs / 1_000).toFixed(1)} s`)
          if (tookMs > readyMs) late.push(`${name}: ${Math.round(tookMs)} ms`)
        }
        assert.equal(took.size, namespaces.length * sources)
      }
      const there = async () => {
        const rollouts = followRollouts(kubernetes.client, IMAGE)
        const fromMs = Date.now()
        const { code, err } = await vedette('migrate', 'apply', ...options)
        await rollouts.stop()
        say('apply took', fromMs)
        assert.equal(code, 0, err)
        judgeRollouts(rollouts)
        await world.served('ours', slower)
        phases.push({ name: 'there', fromMs, toMs: Date.now() })
      }
      const back = async () => {
        const fromMs = Date.now()
        const { code, err } = await vedette('migrate', 'back', ...options)
        say('back took', fromMs)
        assert.equal(code, 0, err)
        await world.served('theirs', slower)
        phases.push({ name: 'back', fromMs, toMs: Date.now() })
      }

      const load = await world.load(t)
      await world.served('theirs', slower)
      const [lasting, servers] = [await world.lasting(), await world.servers()]
      for (let i = 0; i < times; i++) {
        await planned()
        for (const way of [there, back]) {
          await way()
          assert.deepEqual(await world.lasting(), lasting)
          assert.deepEqual(await world.servers(), servers, 'servers are replaced')
        }
      }

      const wrong: string[] = []
      for (const place of places) {
        const { crowds, stop } = load.get(place)!
        const made = await stop()
        const events = await world.eventsIn(place)
        for (const { kind, object } of place.sources) {
          const { name } = object.metadata
          const tell = (text: string) => t.diagnostic(`${place.namespace}/${name}: ${text}`)
          if (kind === 'hooks') {
            const { acknowledged, lost, doubled, repeated } = hooksOf(events, name, crowds.get(name)!)
            tell(`${acknowledged} requests, ${repeated} attempts repeated, ${doubled.length} there twice`)
            if (lost.length > 0 || doubled.length > repeated) wrong.push(`${name}: lost ${lost}, doubled ${doubled}`)
            continue
          }
          const madeAt = kind === 'drop' || kind === 'maps' ? made[kind] : null
          const row = rowOf(events, kind, name, madeAt === null ? undefined : madeAt.length - 1)
          const atMs = (n: number) => madeAt?.[n] ?? n * 1_000
          const { replicas = 1 } = object.spec as { replicas?: number }
          const judged = judgeRow(row, {
            phases,
            atMs,
            mostMs: MOST_LOST_MS * slower,
            retells: kind === 'maps',
            replicas,
          })
          tell(judged.text)
          wrong.push(...judged.wrong.map((one) => `${name}: ${one}`))
        }
      }
      assert.deepEqual(wrong, [])
      assert.deepEqual(late, [], 'roll-outs that took too long')
    })
  })
}
