/**
 * S1: the author of an EventSource has no code of his own run in its Pods. Rendered as the controller does it, started as the kubelet does it; by `env`, by `envFrom`
 * and by both, in the Deployment and in the Job of its deletion, and by files that libraries look for. Honest objects beside it go on working.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { removalJob } from '../../src/controller/reconcile/removal.ts'
import { render } from '../../src/controller/render.ts'
import { settingsFrom } from '../../src/controller/settings.ts'
import type { KubeObject } from '../../src/kube/resources.ts'
import { loadManifest } from '../../src/manifest/load.ts'
import { makeCertificate } from '../certificate.ts'
import { until } from '../contract/bus.ts'
import { kubeletEnvironment, type Sources } from '../pod/kubelet.ts'
import { without } from '../servers/cache.ts'
import { type NatsServers, natsBinary, startNats } from '../servers/nats.ts'
import { freePorts } from '../servers/process.ts'

type Plain = Record<string, any>

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
const skip = without('nats-server', natsBinary('newest'))
const fields = { 'metadata.name': 'orders-0', 'status.podIP': '127.0.0.1' }
/** What an image and Kubernetes give. */
const image = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/', HOSTNAME: 'orders-0' }

const text = (template: Plain, spec: Plain, bus: Plain) =>
  [
    { kind: 'EventBus', metadata: { name: 'default', namespace: 'shop' }, spec: { jetstreamExotic: bus } },
    { kind: 'EventSource', metadata: { name: 'orders', namespace: 'shop' }, spec: { template, ...spec } },
  ]
    .map((object) => JSON.stringify({ apiVersion: 'argoproj.io/v1alpha1', ...object }))
    .join('\n---\n')

interface Rendered {
  deployment: KubeObject & Plain
  pod: Plain
  container: Plain
}

async function rendered(template: Plain, spec: Plain, bus: Plain): Promise<Rendered> {
  const loaded = await loadManifest([{ file: 'x.yaml', text: text(template, spec, bus) }])
  const objects = render(loaded, settingsFrom({})).objects as (KubeObject & Plain)[]
  const deployment = objects.find(({ kind }) => kind === 'Deployment')!
  const { spec: pod } = deployment.spec.template
  return { deployment, pod, container: pod.containers[0] }
}

const jobOf = (deployment: KubeObject): Plain => {
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    metadata: { name: 'orders', namespace: 'shop' },
  }
  return (removalJob(object, deployment) as Plain).spec.template.spec.containers[0]
}

interface Running {
  child: ChildProcess
  output(): string
  get(port: number, at: string, init?: RequestInit): Promise<number>
}

/** The container's process, with the environment that it would have and no other. */
function run(t: TestContext, container: Plain, sources: Sources, flags: string[]): Running {
  const env = kubeletEnvironment(container, { fields, image, ...sources })
  const child = spawn(process.execPath, [main, ...container.args, ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => (output += chunk))
  const gone = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await gone
  })
  return {
    child,
    output: () => output,
    get: (port, at, init) =>
      fetch(`http://127.0.0.1:${port}${at}`, { ...init, signal: AbortSignal.timeout(3_000) }).then(
        ({ status }) => status,
        () => 0,
      ),
  }
}

async function says(pod: Running, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await until(what, async () => holds(), 60_000).catch((error) => assert.fail(`${error.message}\n${pod.output()}`))
}

suite('the author of an EventSource runs no code in its Pods', { skip, concurrency: 4, timeout: 120_000 }, () => {
  let nats: NatsServers
  let root: string
  let bus: Plain
  before(async () => {
    nats = await startNats()
    root = mkdtempSync(path.join(tmpdir(), 'vedette-s1-'))
    bus = { url: nats.urls[0], streamConfig: 'replicas: 1' }
  })
  after(async () => {
    await nats.close()
    rmSync(root, { recursive: true, force: true })
  })

  /** Each attack has one of its own, which is there when it got through. */
  let markers = 0
  const newMarker = () => path.join(root, `marker-${markers++}`)
  const code = (marker: string) =>
    `--import=data:text/javascript,${encodeURIComponent(`import fs from 'node:fs'; fs.writeFileSync('${marker}', 'x')`)}`
  const variables = (marker: string): Record<string, string> => ({
    NODE_OPTIONS: code(marker),
    NODE_UNIQUE_ID: '1',
    LD_PRELOAD: '/no/such/file.so',
    LD_AUDIT: '/no/such/file.so',
    OPENSSL_CONF: path.join(root, 'nothing.cnf'),
    KUBERNETES_SERVICE_HOST: 'evil.example',
    EVENTSOURCE_OBJECT: 'eA==',
    POD_NAME: 'evil',
    PATH: root,
    BASH_ENV: '/x',
  })
  const sourcesOf = (marker: string): Sources => {
    const attack = variables(marker)
    return { configMaps: { attack }, secrets: { attack, options: { OPTIONS: code(marker), UNIQUE_ID: '1' } } }
  }
  const asEnv = (marker: string) => Object.entries(variables(marker)).map(([name, value]) => ({ name, value }))
  const carriers: [name: string, container: (marker: string) => Plain][] = [
    ['env', (marker) => ({ env: asEnv(marker) })],
    ['envFrom a ConfigMap', () => ({ envFrom: [{ configMapRef: { name: 'attack' } }] })],
    ['envFrom a Secret, with a prefix', () => ({ envFrom: [{ prefix: 'NODE_', secretRef: { name: 'options' } }] })],
    [
      'both, by reference',
      (marker) => ({
        envFrom: [{ secretRef: { name: 'attack' } }],
        env: [
          ...asEnv(marker),
          { name: 'NODE_OPTIONS', valueFrom: { secretKeyRef: { name: 'attack', key: 'NODE_OPTIONS' } } },
          { name: 'LD_PRELOAD', value: '$(LD_AUDIT)' },
          { name: 'VEDETTE_ENV_NODE_OPTIONS', value: code(marker) },
        ],
      }),
    ],
  ]

  /** Runs the Job of the deletion to its end. */
  async function remove(t: TestContext, deployment: KubeObject, sources: Sources): Promise<string> {
    const { child, output } = run(t, jobOf(deployment), sources, ['--root', root, '--seconds', '60'])
    const [code] = await once(child, 'exit')
    assert.equal(code, 0, output())
    return output()
  }

  for (const [name, container] of carriers)
    test(`by ${name}`, async (t) => {
      const marker = newMarker()
      const [webhook, metrics] = (await freePorts(2)) as [number, number]
      const spec = { webhook: { order: { port: `${webhook}`, endpoint: '/orders', method: 'POST' } } }
      const { container: made, deployment } = await rendered({ container: container(marker) }, spec, bus)
      const flags = ['--root', root, '--bind', '127.0.0.1', '--metrics-port', `${metrics}`]
      const pod = run(t, made, sourcesOf(marker), flags)
      await says(pod, 'it is ready', async () => (await pod.get(metrics, '/readyz')) === 200)
      assert.equal(await pod.get(webhook, '/orders', { method: 'POST', body: '{}' }), 200, pod.output())
      const removed = await remove(t, deployment, sourcesOf(marker))
      assert.equal(existsSync(marker), false, 'his code ran')
      for (const output of [pod.output(), removed]) assert.doesNotMatch(output, /ld\.so|OpenSSL|evil/)
      if (name.startsWith('envFrom')) assert.match(pod.output(), /not given to the process.*NODE_OPTIONS/)
    })

  test('a Deployment of a version before gives no code on to the Job of the deletion', async (t) => {
    const marker = newMarker()
    const { container, deployment } = await rendered({}, { calendar: { tick: { interval: '1h' } } }, bus)
    container.env.unshift(...asEnv(marker))
    container.envFrom = [{ secretRef: { name: 'attack' } }]
    assert.doesNotMatch(await remove(t, deployment, sourcesOf(marker)), /ld\.so|evil/)
    assert.equal(existsSync(marker), false, 'his code ran')
  })

  test('a program that a profile names is not started', async (t) => {
    const marker = newMarker()
    const home = path.join(root, 'home')
    mkdirSync(path.join(home, '.aws'), { recursive: true })
    const program = path.join(home, 'program')
    writeFileSync(program, `#!/bin/sh\ntouch ${marker}\necho '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b"}'\n`)
    chmodSync(program, 0o755)
    writeFileSync(path.join(home, '.aws/config'), `[default]\nregion = eu-west-1\ncredential_process = ${program}\n`)
    const [metrics] = (await freePorts(1)) as [number]
    const spec = { sqs: { q: { region: 'eu-west-1', queue: 'q', endpoint: 'http://127.0.0.1:9' } } }
    const env = [
      { name: 'HOME', value: home },
      { name: 'AWS_EC2_METADATA_DISABLED', value: 'true' },
    ]
    const { container } = await rendered({ container: { env } }, spec, bus)
    const pod = run(t, container, {}, ['--root', root, '--bind', '127.0.0.1', '--metrics-port', `${metrics}`])
    await says(pod, 'it has looked for credentials', () => /Could not load credentials|ECONNREFUSED/.test(pod.output()))
    assert.equal(existsSync(marker), false, 'his program ran')
  })

  test('honest variables of both kinds arrive, references between them too', async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'vedette-ca-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const { cert, key } = makeCertificate()
    const file = (name: string, content: string) => {
      writeFileSync(path.join(dir, name), content)
      return path.join(dir, name)
    }
    const certFile = file('ca.pem', cert)
    const origin = createServer({ cert, key })
    const asked = Promise.withResolvers<string>()
    origin.on('request', (request, response) => {
      asked.resolve(request.headers.authorization ?? '')
      response.writeHead(403).end()
    })
    origin.listen(0, '127.0.0.1')
    await once(origin, 'listening')
    t.after(() => origin.close())
    const [metrics] = (await freePorts(1)) as [number]
    const given = {
      LOG_LEVEL: 'error',
      CERTIFICATES: certFile,
      AWS_ACCESS_KEY_ID: 'honest',
      AWS_SECRET_ACCESS_KEY: 's',
    }
    const env = [{ name: 'SSL_CERT_FILE', value: '$(CERTIFICATES)' }]
    const template = { container: { env, envFrom: [{ configMapRef: { name: 'given' } }] } }
    const endpoint = `https://localhost:${(origin.address() as AddressInfo).port}`
    const { container } = await rendered(template, { sqs: { q: { region: 'eu-west-1', queue: 'q', endpoint } } }, bus)
    const flags = ['--root', root, '--bind', '127.0.0.1', '--metrics-port', `${metrics}`]
    const pod = run(t, container, { configMaps: { given } }, flags)
    const failed = once(pod.child, 'exit').then(() => assert.fail(pod.output()))
    assert.match(await Promise.race([asked.promise, failed]), /Credential=honest\//)
    assert.doesNotMatch(pod.output(), /"level":"info"/)
    // What the loader and Node could see of it.
    const first = readFileSync(`/proc/${pod.child.pid}/environ`, 'utf8')
    assert.doesNotMatch(first, /(^|\0)SSL_CERT_FILE=/)
  })
})
