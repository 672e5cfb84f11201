/** The registrar's lease and records on a real JetStream: five replicas, each on a connection of its own, make one hook of GitHub's fake. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import { withoutCredentials } from '../../src/core/url-credentials.ts'
import { runRegistrar } from '../../src/runtime/registrar/registrar.ts'
import { removeRemote } from '../../src/runtime/registrar/remove.ts'
import { localSecrets } from '../../src/runtime/secrets.ts'
import github from '../../src/sources/github.ts'
import { serveInHarness } from '../harness.ts'
import { without } from '../servers/cache.ts'
import { startFakeGithub } from '../servers/fakes/github.ts'
import { natsBinary } from '../servers/nats.ts'
import { until } from './bus.ts'
import { newSource, startJetStream } from './jetstream.fixture.ts'

const skip = without('nats-server', natsBinary('newest'))

test('five replicas on JetStream: one hook, and it is removed once', { skip }, async (t) => {
  const fixture = await startJetStream()
  const fake = await startFakeGithub()
  const stop = new AbortController()
  const source = newSource()
  const spec = {
    webhook: { endpoint: '/e', port: '12000', method: 'POST', url: 'https://us' },
    repositories: [{ owner: 'acme', names: ['shop'] }],
    events: ['push'],
    active: true,
    githubBaseURL: fake.url,
    githubUploadURL: fake.url,
    apiToken: { name: 's', key: 'token' },
    deleteHookOnFinish: true,
  }
  const secrets = { 's/token': 'good' }
  const buses = await Promise.all(Array.from({ length: 5 }, async () => (await fixture.open()).bus))
  const content = new Set<number>()
  const running = buses.map(async (bus, index) => {
    const harness = serveInHarness(github, spec, { secrets, http: async () => {} })
    await runRegistrar(
      {
        source,
        entry: 'e',
        holder: `${source.name}-${index}`,
        registration: () => github.hooks!(harness.context),
        kv: bus.kv,
        clock: systemClock,
        log: silentLogger,
        redact: withoutCredentials,
        condition: (text) => void (text === null ? content.add(index) : content.delete(index)),
      },
      stop.signal,
    )
    await harness.stop()
  })
  t.after(async () => {
    stop.abort()
    await Promise.all(running)
    await fixture.close()
    await fake.close()
  })
  await until('all are content', () => content.size === 5, 30_000)
  assert.deepEqual([fake.hooks.get('repos/acme/shop')!.length, fake.count('POST', /hooks$/)], [1, 1])

  stop.abort()
  await Promise.all(running)
  const place = { file: 'f', line: 1, column: 1 }
  const left = await removeRemote(
    {
      object: { ...source, entries: [{ type: 'github', name: 'e', spec: github.spec.parse(spec), place }] },
      secrets: localSecrets({
        secrets: [{ namespace: source.namespace, name: 's', data: { token: 'good' } }],
        configMaps: [],
      }),
      kv: buses[0]!.kv,
      holder: 'test',
      clock: systemClock,
      log: silentLogger,
    },
    AbortSignal.timeout(30_000),
  )
  assert.deepEqual([left, fake.hooks.get('repos/acme/shop')], [[], []])
  assert.equal(await buses[1]!.kv.get(`hooks/${source.namespace}/${source.name}/e/records`), null)
})
