/** `vedette eventsource-removal`, as the Job of a deleted EventSource runs it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect } from 'mqtt'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { without } from '../servers/cache.ts'
import { startFakeGithub } from '../servers/fakes/github.ts'
import { mosquittoBinary, startMosquitto } from '../servers/mosquitto.ts'
import { natsBinary } from '../servers/nats.ts'
import { base64, objectOf, startPod } from './pods.ts'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

/** The Job's process. @param files values of Secrets, by `<name>/<key>` */
async function removalOf(
  t: TestContext,
  { object, bus, files, seconds }: { object: object; bus: object; files: Record<string, string>; seconds: number },
) {
  const root = mkdtempSync(join(tmpdir(), 'vedette-removal-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  for (const [file, text] of Object.entries(files)) {
    const path = join(root, 'argo-events/secrets', file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  const env = { EVENTSOURCE_OBJECT: base64(object), EVENTBUS_CONFIG: base64(bus), POD_NAME: 'shop-removal-x' }
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

test('sessions of MQTT are ended by the Job, unless they are to stay', {
  skip: without('nats-server', natsBinary('newest')) || without('mosquitto', mosquittoBinary()),
  timeout: 90_000,
}, async (t) => {
  const [fixture, broker] = [await jetStreamFor(t), await startMosquitto()]
  t.after(() => broker.close())
  const bus = { jetstream: { url: fixture.urls[0]!, streamConfig: 'replicas: 1\n' } }
  const visit = async (clientId: string): Promise<boolean> => {
    const client = connect(broker.url, { clientId, clean: false, reconnectPeriod: 0 })
    const { sessionPresent } = await new Promise<{ sessionPresent: boolean }>((resolve) =>
      client.once('connect', resolve),
    )
    await client.endAsync()
    return sessionPresent
  }
  for (const clientId of ['goes', 'stays']) await visit(clientId)
  const entry = (clientId: string, more: object = {}) => ({ url: broker.url, topic: 't', clientId, qos: 1, ...more })
  const object = objectOf('shop', {
    mqtt: { goes: entry('goes'), stays: entry('stays', { deleteSessionOnFinish: false }) },
  })
  const { code, log } = await removalOf(t, { object, bus, files: {}, seconds: 30 })
  assert.equal(code, 0, log)
  assert.deepEqual([await visit('goes'), await visit('stays')], [false, true])
})

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

  const removal = (token: string, seconds: number) =>
    removalOf(t, { object: object(pod.port), bus, files: { 'gh/token': token }, seconds })
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
