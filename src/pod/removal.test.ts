import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { silentLogger } from '../core/log.ts'
import { loadManifest } from '../manifest/load.ts'
import type { PrepareContext, SourceDefinition } from '../source.ts'
import { removeRemote } from './removal.ts'

const secrets = { secret: async () => 'token', configMap: async () => '' }
const yaml = `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: es, namespace: ns }
spec:
  webhook:
    good: { port: "1", endpoint: /good, method: POST }
    bad: { port: "1", endpoint: /bad, method: POST }
    refused: { port: x, endpoint: /x, method: POST }
`

async function rig(remove: (context: PrepareContext) => Promise<void>) {
  const { manifest } = await loadManifest([{ file: 'a.yaml', text: yaml }])
  const clock = fakeClock()
  const stop = new AbortController()
  const load = async () => ({ remove }) as unknown as SourceDefinition
  const source = manifest.eventSources[0]!
  const left = removeRemote({ source, secrets, clock, log: silentLogger, load }, stop.signal)
  return { left, clock, stop }
}

test('each entry that could serve is removed once, with its Secrets', async () => {
  const seen: string[] = []
  const { left } = await rig(async ({ entry, namespace, secret }) => {
    seen.push(`${namespace}/${entry} ${await secret({ name: 's', key: 'k' })}`)
  })
  assert.deepEqual(await left, [])
  assert.deepEqual(seen.sort(), ['ns/bad token', 'ns/good token'])
})

test('what fails is tried again until the time is up, and then told; the others are not held up', async () => {
  let tries = 0
  const { left, clock, stop } = await rig(async ({ entry }) => {
    if (entry === 'good') return
    throw new Error(`refused ${++tries}`)
  })
  await clock.advance(60_000)
  assert.ok(tries > 3)
  stop.abort()
  assert.deepEqual(await left, [`es/bad: refused ${tries}`])
})
