/** How the connection to the bus is protected, as users are told: by status, doctor and one line of the log. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCertificate } from '../certificate.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { without } from '../servers/cache.ts'
import { natsBinary } from '../servers/nats.ts'
import { cli, directory, start } from './program.ts'

const { cert, key } = makeCertificate()

const manifest = (url: string, tls: string) => `apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default }
spec:
  jetstreamExotic: { url: "${url}"${tls} }
---
apiVersion: v1
kind: Secret
metadata: { name: nats }
stringData: { ca: ${JSON.stringify(cert)} }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: clock }
spec:
  replicas: 2
  calendar:
    tick: { interval: 1s }
`

for (const { transport, serverTls, tls, says, level } of [
  { transport: 'plain', serverTls: false, tls: '', says: /not encrypted/, level: 'WARN' },
  {
    transport: 'encrypted',
    serverTls: true,
    tls: '',
    says: /certificate of the server is not verified/,
    level: 'WARN',
  },
  {
    transport: 'verified',
    serverTls: true,
    tls: ', tls: { caCertSecret: { name: nats, key: ca } }',
    says: /encrypted and verified/,
    level: 'INFO',
  },
]) {
  test(`a bus whose connection is ${transport}`, {
    skip: without('nats-server', natsBinary('newest')),
    timeout: 60_000,
  }, async (t) => {
    const dir = directory(t)
    writeFileSync(join(dir, 'cert.pem'), cert)
    writeFileSync(join(dir, 'key.pem'), key)
    const config = `tls { cert_file: "${join(dir, 'cert.pem')}", key_file: "${join(dir, 'key.pem')}" }`
    const fixture = await jetStreamFor(t, serverTls ? { config } : {})
    writeFileSync(join(dir, 'run.yaml'), manifest(fixture.urls[0]!, tls))
    const data = join(dir, 'data')
    const run = start(t, 'run', join(dir, 'run.yaml'), '--data', data, '--listen', '127.0.0.1:0')
    await run.says('ready\n')
    const { stdout } = await cli('status', '--json', '--data', data)
    assert.equal(JSON.parse(stdout).bus.transport, transport)
    assert.match((await cli('status', '--data', data)).stdout, says)
    const doctor = await cli('doctor', '--data', data)
    assert.equal(doctor.code, 0, doctor.stdout)
    assert.match(doctor.stdout, new RegExp(`ok +bus +jetstream answers; .*${says.source}`))
    const said = run
      .stderr()
      .split('\n')
      .filter((line) => says.test(line))
    assert.equal(said.length, 1, said.join('\n'))
    assert.match(said[0]!, new RegExp(`${level}.*transport=${transport}`))
  })
}
