/**
 * What the controller writes of objects whose errors repeat their fields: `node controller-sinks.ts < objects.json`, a list, gives the texts as JSON,
 * by sink. A process of its own, so that lines of the product can be others in it (`preload.ts`).
 */
import { text } from 'node:stream/consumers'
import { Registry } from 'prom-client'
import { review } from '../../src/controller/admission.ts'
import { createRecorder } from '../../src/controller/events.ts'
import { serveHealth } from '../../src/controller/health.ts'
import { writeStatus } from '../../src/controller/status.ts'
import { systemClock as clock } from '../../src/core/clock.ts'
import { silentLogger as log } from '../../src/core/log.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { freePorts } from '../servers/process.ts'

const objects = JSON.parse(await text(process.stdin)) as (KubeObject & { spec: object })[]
const written = { status: [] as unknown[], Events: [] as unknown[], admission: [] as unknown[] }
const client = {
  async applyStatus(_: unknown, object: unknown) {
    written.status.push(object)
    return object
  },
  async apply(_: unknown, object: unknown) {
    written.Events.push(object)
  },
}
const recorder = createRecorder({ client: client as never, clock, log })
const mute = { record() {}, tell() {}, settled: async () => {} }
const said: string[] = []
for (const [i, object] of objects.entries()) {
  const live = { ...object, metadata: { ...object.metadata, uid: `${i}` } }
  const message = `the server said: ${JSON.stringify(object.spec)}`
  said.push(message)
  const conditions = [{ type: 'Ready', status: 'False' as const, reason: 'Failed', message }]
  const cluster = { client: client as never, clock, recorder: mute }
  await writeStatus(cluster, resources.eventsources, live, { conditions, problem: message })
  recorder.record(live, { type: 'Warning', reason: 'Failed', message })
  written.admission.push(await review({ uid: 'u', operation: 'CREATE', object: live }))
}
await recorder.settled()

const [healthPort, metricsPort] = (await freePorts(2)) as [number, number]
const registry = new Registry()
const health = await serveHealth({ notReady: () => said, registry }, { host: '127.0.0.1', healthPort, metricsPort })
const probes = await (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).text()
health.close()
const shown = Object.fromEntries(Object.entries(written).map(([sink, all]) => [sink, JSON.stringify(all)]))
process.stdout.write(JSON.stringify({ ...shown, probes }))
