/** `vedette eventsource-removal`, as the Job of a deleted EventSource runs it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { without } from '../servers/cache.ts'
import { startFakeGithub } from '../servers/fakes/github.ts'
import { natsBinary } from '../servers/nats.ts'
import { base64, objectOf, startPod } from './pods.ts'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

test('the hooks that Pods made are removed by the Job, those of others stay; what cannot be removed is told', {
  skip: without('nats-server', natsBinary('newest')),
  timeout: 90_000,
}, async (t) => {
  const [fixture, github] = [await jetStreamFor(t), await startFakeGithub()]
  t.after(() => github.close())
  github.addHook('repos/acme/shop', { config: { url: 'https://somebody.else/hook' } })
  const bus = { jetstream: { url: fixture.urls[0]!, streamConfig: 'replicas: 1\n' } }
  const object = (port: number) =>
    objectOf('shop', {
      github: {
        pushes: {
          repositories: [{ owner: 'acme', names: ['shop'] }],
          webhook: { endpoint: '/push', port: String(port), method: 'POST', url: 'https://us.example' },
          events: ['*'],
          apiToken: { name: 'gh', key: 'token' },
          githubBaseURL: github.url,
          githubUploadURL: github.url,
          contentType: 'json',
          active: true,
          insecure: false,
          deleteHookOnFinish: true,
        },
      },
    })
  const pod = await startPod(t, { object, bus, name: 'shop-0', files: { 'argo-events/secrets/gh/token': 'good' } })
  const hooks = () => github.hooks.get('repos/acme/shop') ?? []
  await until('the Pod has made its hook', () => hooks().length === 2, 30_000)
  pod.child.kill('SIGTERM')
  await pod.exited()
  assert.equal(hooks().length, 2, 'a Pod that ends leaves them')

  const removal = async (token: string, seconds: number) => {
    const root = mkdtempSync(join(tmpdir(), 'vedette-removal-'))
    t.after(() => rmSync(root, { recursive: true, force: true }))
    mkdirSync(join(root, 'argo-events/secrets/gh'), { recursive: true })
    writeFileSync(join(root, 'argo-events/secrets/gh/token'), token)
    const env = {
      EVENTSOURCE_OBJECT: base64(object(pod.port)),
      EVENTBUS_CONFIG: base64(bus),
      POD_NAME: 'shop-removal-x',
    }
    const child = spawn(process.execPath, [main, 'eventsource-removal', '--root', root, '--seconds', `${seconds}`], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let log = ''
    child.stdout.on('data', (chunk) => {
      log += chunk
    })
    const [code] = await once(child, 'close')
    return { code, log }
  }
  const failed = await removal('wrong', 3)
  assert.equal(failed.code, 3, failed.log)
  assert.match(failed.log, /shop\/pushes: .*repos\/acme\/shop/)
  assert.equal(hooks().length, 2)
  const done = await removal('good', 60)
  assert.equal(done.code, 0, done.log)
  assert.deepEqual(
    hooks().map(({ config }) => config.url),
    ['https://somebody.else/hook'],
  )
})
