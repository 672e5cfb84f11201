/** What the controller writes into a Deployment is what the process of its Pod reads: environment, mounts, probes. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { makeCertificate } from '../certificate.ts'
import { renderedPod } from '../pod/rendered.ts'
import { without } from '../servers/cache.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { freePorts, startProcess } from '../servers/process.ts'

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')

test('a rendered Pod, its volumes filled as the kubelet does, logs in over verified TLS and serves', {
  skip: without('nats-server', natsBinary('newest')),
  timeout: 60_000,
}, async (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'vedette-rendered-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const { cert, key } = makeCertificate()
  writeFileSync(path.join(root, 'cert.pem'), cert)
  writeFileSync(path.join(root, 'key.pem'), key)
  const nats = await startNats({
    config: `tls { cert_file: "${root}/cert.pem", key_file: "${root}/key.pem" }
authorization { user: u, password: pw }`,
  })
  t.after(() => nats.close())
  const [webhook, metrics] = (await freePorts(2)) as [number, number]
  const text = `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: shop }
spec:
  jetstreamExotic:
    url: nats://localhost:${nats.servers[0]!.port}
    streamConfig: "replicas: 1"
    accessSecret: { name: login, key: file }
    tls: { caCertSecret: { name: my.ca, key: ca.crt } }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders, namespace: shop }
spec:
  replicas: 2
  webhook:
    order: { port: "${webhook}", endpoint: /orders, method: POST, authSecret: { name: my_token, key: t } }
`
  const secrets = {
    login: { file: 'username: u\npassword: pw\n' },
    'my.ca': { 'ca.crt': cert },
    my_token: { t: 'sesame' },
  }
  const { container, env, files } = await renderedPod(text, secrets, 'orders-0')
  for (const [file, value] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), value)
  }
  const get = (at: string) =>
    fetch(`http://127.0.0.1:${metrics}${at}`).then(
      ({ status }) => status,
      () => 0,
    )
  const flags = ['--root', root, '--bind', '127.0.0.1', '--metrics-port', `${metrics}`]
  const pod = await startProcess(process.execPath, [main, ...container.args, ...flags], {
    ready: async () => (await get(container.readinessProbe.httpGet.path)) === 200,
    env,
  })
  t.after(() => pod.stop())
  for (const probe of ['startupProbe', 'livenessProbe'])
    assert.equal(await get(container[probe].httpGet.path), 200, probe)
  const post = (token: string) =>
    fetch(`http://127.0.0.1:${webhook}/orders`, {
      method: 'POST',
      body: '{}',
      headers: { authorization: `Bearer ${token}` },
    })
  assert.equal((await post('wrong')).status, 401)
  const answer = await post('sesame')
  assert.equal(answer.status, 200, `${await answer.text()} ${pod.output()}`)
  assert.match(pod.output(), /verified/)
})
