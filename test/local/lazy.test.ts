/** Client libraries cost memory: a process loads those of the types that its objects use, and no other. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

/** A standby with one MQTT entry, as far as a replica without a broker gets; then what the module cache holds of packages. */
const program = `
import { createRequire } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'
import { memoryBusWorld } from '${new URL('../../src/bus/memory.ts', import.meta.url)}'
import { systemClock } from '${new URL('../../src/core/clock.ts', import.meta.url)}'
import { silentLogger } from '${new URL('../../src/core/log.ts', import.meta.url)}'
import { createRedactor } from '${new URL('../../src/core/redact.ts', import.meta.url)}'
import { memoryLock } from '${new URL('../../src/ha/locks/memory.ts', import.meta.url)}'
import { loadManifest } from '${new URL('../../src/manifest/load.ts', import.meta.url)}'
import { createListeners } from '${new URL('../../src/runtime/http/listeners.ts', import.meta.url)}'
import { createMetrics } from '${new URL('../../src/runtime/metrics.ts', import.meta.url)}'
import { startReplica } from '${new URL('../../src/runtime/replica.ts', import.meta.url)}'
import { localSecrets } from '${new URL('../../src/runtime/secrets.ts', import.meta.url)}'
const text = JSON.stringify({
  apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource', metadata: { name: 'es' },
  spec: { replicas: 2, mqtt: { e: { url: 'tcp://127.0.0.1:1', topic: 't', clientId: 'c' } } },
})
const { manifest } = await loadManifest([{ file: 'x.yaml', text }])
const bus = memoryBusWorld().connect('a')
const replica = await startReplica({
  object: manifest.eventSources[0], index: 0, bus, lock: memoryLock(bus, 'default/es'), suspicions: [],
  listeners: createListeners({ bind: '127.0.0.1', clock: systemClock, log: silentLogger }),
  secrets: localSecrets({ secrets: [], configMaps: [] }), metrics: createMetrics(), clock: systemClock, log: silentLogger, redactor: createRedactor(),
  onReport() {}, onFailover() {},
})
while (!(replica.report().entries[0].error ?? '').includes('nothing listens there')) await pause(10)
const names = Object.keys(createRequire(import.meta.url).cache)
  .map((path) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/(?!.*node_modules)/.exec(path)?.[1])
process.stdout.write(JSON.stringify([...new Set(names)]), () => process.exit(0))
`

test('an idle replica with one MQTT entry loads the library of MQTT, and that of no other type', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  const loaded = JSON.parse(stdout) as string[]
  assert.ok(loaded.includes('mqtt'), stdout)
  const others =
    /^(amqplib|ioredis|@nats-io\/.*|@aws-sdk\/.*|@peculiar\/.*|@platformatic\/.*|@google-cloud\/.*|@azure\/.*|rhea|rhea-promise|@grpc\/.*|undici|lmdb)$/
  assert.deepEqual(
    loaded.filter((name) => others.test(name)),
    [],
  )
})
