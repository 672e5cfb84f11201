/**
 * A kind of bus that nobody knows is added by its module (memory-kind.ts) and one line of the registry: it is read and judged, opened by a run and by a Pod,
 * elects, is rendered by the controller, and holds the contract of buses.
 */
import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { suite, test } from 'node:test'
import type { EventBus } from '../../src/manifest/manifest.ts'
import { busContract } from './bus.ts'

const REGISTRY = new URL('../../src/buses/registry.ts', import.meta.url).href
const MODULE = new URL('./memory-kind.ts', import.meta.url).href
const LINE = `export { default as memory } from '${MODULE}'\n`

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    return url === REGISTRY ? { ...loaded, source: `${Buffer.from(loaded.source as Uint8Array)}${LINE}` } : loaded
  },
})

const { systemClock: clock } = await import('../../src/core/clock.ts')
const { silentLogger: log } = await import('../../src/core/log.ts')
const { createRedactor } = await import('../../src/core/redact.ts')
const { busKinds } = await import('../../src/buses/index.ts')
const { loadManifest } = await import('../../src/manifest/load.ts')
const { openRunBus } = await import('../../src/local/bus.ts')
const { loadObjects } = await import('../../src/local/objects.ts')
const { readEnvironment } = await import('../../src/pod/environment.ts')
const { openPodBus } = await import('../../src/pod/pod.ts')
const { lockFor } = await import('../../src/pod/lock.ts')
const { planBus } = await import('../../src/controller/eventBus.ts')
const { usesLease } = await import('../../src/controller/eventSource.ts')
const { crds } = await import('../../src/controller/install/crds.ts')
const { settingsFrom } = await import('../../src/controller/settings.ts')
const { takeLease } = await import('./bus-embedded.fixture.ts')
const { worldNamed } = await import('./memory-kind.ts')

const busYaml = (spec: string) => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  memory: ${spec}
`
const clockYaml = `---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: clock
spec:
  calendar:
    tick:
      interval: 1s
`

async function busOf(spec: string): Promise<EventBus> {
  const { manifest } = await loadManifest([{ file: 'bus.yaml', text: busYaml(spec) }])
  return manifest.eventBuses[0]!
}

const secrets = { secret: () => assert.fail('it needs no Secret') }

suite('a kind of bus that is added', () => {
  test('is known by one line', () => assert.ok(busKinds.includes('memory' as never)))

  test('is read, and judged by its own schema and rules', async () => {
    const read = async (spec: string) => {
      const { diagnostics } = await loadManifest([{ file: 'bus.yaml', text: busYaml(spec) }])
      return diagnostics.map(({ severity, at, message }) => [severity, at, message])
    }
    assert.deepEqual(await read('{ world: a }'), [])
    assert.deepEqual(await read('{}'), [['error', 'spec.memory.world', '"spec.memory.world" is missing']])
    assert.match((await read('{ world: 1 }')).join(), /spec\.memory\.world/)
    assert.match((await read('{ world: a, wrld: b }')).join(), /^warning,spec\.memory\.wrld/)
  })

  test('is the bus of a run', async (t) => {
    const { mkdtemp, rm, writeFile } = await import('node:fs/promises')
    const { tmpdir } = await import('node:os')
    const { join } = await import('node:path')
    const dir = await mkdtemp(join(tmpdir(), 'vedette-fourth-'))
    t.after(() => rm(dir, { recursive: true }))
    await writeFile(join(dir, 'run.yaml'), busYaml('{ world: run }') + clockYaml)
    const { bus } = await loadObjects([join(dir, 'run.yaml')], { hide() {} })
    assert.equal(bus?.kind, 'memory')
  })

  test('is what a Pod is told of, and elects by', async (t) => {
    const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
    const environment = await readEnvironment({
      POD_NAME: 'clock-0',
      EVENTSOURCE_OBJECT: base64({ metadata: { name: 'clock' }, spec: { calendar: { tick: { interval: '1s' } } } }),
      EVENTBUS_CONFIG: base64({ memory: { world: 'pod' } }),
    })
    const open = await openPodBus(environment, { root: '/nowhere', clock, log, redactor: createRedactor() })
    t.after(() => open.bus.close())
    const { lock } = await lockFor(environment, open, { bind: '', taken: new Set(), clock, log })
    assert.equal(await lock.read(), null)
    await lock.write({ holder: 'clock-0', durationMs: 1000, term: 0, released: false }, null)
    assert.equal((await worldNamed('pod').connect('other').readLease('default/clock'))?.record.holder, 'clock-0')
  })

  test('is rendered: its address is told, nothing is made', async () => {
    const settings = settingsFrom({ VEDETTE_IMAGE: 'img:1' })
    const { objects, config, ours, conditions } = planBus({ bus: await busOf('{ world: a }'), settings })
    assert.deepEqual([objects, config, ours], [[], { memory: { world: 'a' } }, { memory: { world: 'a' } }])
    assert.deepEqual(
      conditions.map(({ type, status }) => [type, status]),
      [
        ['Configured', 'True'],
        ['Deployed', 'True'],
      ],
    )
    assert.equal(usesLease({ annotations: {} } as never, config!), false)
    assert.match(JSON.stringify(crds([])), /Which of the worlds of this process/)
  })
})

busContract('a kind that is added', { claimNeedsLease: true, dedup: true, strict: true }, async () => {
  const object = await busOf('{ world: contract }')
  const world = worldNamed('contract')
  const keeper = world.connect('keeper')
  let count = 0
  return {
    async connect() {
      const options = { secrets, session: `client-${count++}`, clock, log }
      return (await openRunBus({ object, store: null }, options)).bus
    },
    hold: (source, holder) => takeLease(keeper, source, holder),
    freeze: () => world.freeze(),
    thaw: () => world.thaw(),
    close: () => keeper.close(),
  }
})
