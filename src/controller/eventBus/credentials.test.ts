/** What is generated for a native bus, in the hands of Node's TLS and of a real nats-server. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { without } from '../../../test/servers/cache.ts'
import { natsBinary } from '../../../test/servers/nats.ts'
import { freePorts, startProcess } from '../../../test/servers/process.ts'
import { plainValue } from '../../manifest/tree.ts'
import { parseYaml } from '../../manifest/yaml.ts'
import { settingsFrom } from '../settings.ts'
import { makeCredentials } from './credentials.ts'
import { jetstreamObjects } from './jetstream.ts'

const owner = { kind: 'EventBus', namespace: 'ns', name: 'default' } as const
const SERVICE = 'eventbus-default-js-svc.ns.svc'

function credentials(): { server: Record<string, string>; client: Record<string, string> } {
  const [server, client] = makeCredentials(owner, SERVICE, Date.now()).map(({ data }) =>
    Object.fromEntries(
      Object.entries(data as Record<string, string>).map(([key, value]) => [
        key,
        Buffer.from(value, 'base64').toString(),
      ]),
    ),
  )
  return { server: server!, client: client! }
}

test('certificates are for the Service, each from an authority of its own, and never twice the same', () => {
  const { server } = credentials()
  const pair = (prefix: string) => [`${prefix}cert`, `${prefix}ca-cert`].map((key) => new X509Certificate(server[key]!))
  const [cert, ca] = pair('') as [X509Certificate, X509Certificate]
  const [route, routeCa] = pair('cluster-') as [X509Certificate, X509Certificate]
  assert.equal(cert.checkHost(SERVICE), SERVICE)
  assert.equal(cert.checkHost(`pod.${SERVICE}`), undefined)
  assert.ok(route.checkHost(`eventbus-default-js-0.${SERVICE}`))
  assert.ok(ca.ca && !cert.ca)
  assert.ok(cert.verify(ca.publicKey) && route.verify(routeCa.publicKey))
  assert.ok(!cert.verify(routeCa.publicKey))
  const years = (cert.validToDate.getTime() - Date.now()) / (365.25 * 86_400_000)
  assert.ok(years > 9.9 && years < 10.1)
  assert.notEqual(credentials().client['client-auth'], credentials().client['client-auth'])
})

suite('with a real nats-server', { skip: without('nats-server', natsBinary('newest')), timeout: 60_000 }, () => {
  /** The configuration of one Pod, with its paths in a directory of this machine. */
  async function pod(replicas: number) {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-bus-'))
    const { server, client } = credentials()
    const files = {
      'auth.conf': 'auth',
      'server-key.pem': 'private-key',
      'server-cert.pem': 'cert',
      'ca-cert.pem': 'ca-cert',
      'cluster-server-key.pem': 'cluster-private-key',
      'cluster-server-cert.pem': 'cluster-cert',
      'cluster-ca-cert.pem': 'cluster-ca-cert',
    }
    const [port, monitor, route] = (await freePorts(3)) as [number, number, number]
    const local = (text: string) =>
      text
        .replaceAll('/etc/nats-config', dir)
        .replaceAll('/var/run/nats', dir)
        .replaceAll('/data/jetstream', join(dir, 'data'))
        .replace('port: 4222', `listen: "127.0.0.1:${port}"`)
        .replace('http: 8222', `http: "127.0.0.1:${monitor}"`)
        .replace('  port: 6222', `  listen: "127.0.0.1:${route}"`)
    mkdirSync(join(dir, 'data'))
    for (const [file, key] of Object.entries(files)) writeFileSync(join(dir, file), local(server[key]!))
    const place = { file: '', line: 1, column: 1 }
    const spec = { jetstream: { version: 'latest', replicas } }
    const bus = { ...owner, labels: {}, kind: 'jetstream', spec, place } as const
    const [config] = jetstreamObjects({ bus, settings: settingsFrom({}) })
    const conf = join(dir, 'nats-js.conf')
    writeFileSync(conf, local((config!.data as Record<string, string>)['nats-js']!))
    const env = { POD_NAME: 'eventbus-default-js-0', JS_KEY: server.encryption!, CLUSTER_ADVERTISE: '127.0.0.1' }
    return { dir, conf, env, port, ca: server['ca-cert']!, auth: client['client-auth']! }
  }

  test('one server starts, takes the client of our Secret over verified TLS, and no other', async (t) => {
    const { dir, conf, env, port, ca, auth } = await pod(1)
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const listening = () =>
      new Promise<boolean>((resolve) => {
        const socket = createConnection({ host: '127.0.0.1', port })
        socket
          .once('connect', () => resolve(true))
          .once('error', () => resolve(false))
          .unref()
        socket.once('connect', () => socket.destroy())
      })
    const server = await startProcess(natsBinary('newest')!, ['-c', conf], { ready: listening, env })
    t.after(() => server.stop())
    const { username, password } = plainValue(parseYaml(auth).documents[0]!) as Record<string, string>
    const open = (more: object) =>
      connect({ servers: `127.0.0.1:${port}`, reconnect: false, tls: { ca, servername: SERVICE } as object, ...more })
    const client = await open({ user: username, pass: password })
    t.after(() => client.close())
    await (await jetstreamManager(client)).streams.add({ name: 'default', subjects: ['default.*.*'] })
    assert.equal((await jetstream(client).publish('default.a.b', 'x')).seq, 1)
    await assert.rejects(open({ user: username, pass: 'wrong' }), /authorization/i)
    await assert.rejects(open({ user: username, pass: password, tls: { ca, servername: 'another.svc' } }), /altnames/i)
  })

  test('the configuration of three is one that the server takes', async (t) => {
    const { dir, conf, env } = await pod(3)
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    execFileSync(natsBinary('newest')!, ['-t', '-c', conf], { env: { ...process.env, ...env }, stdio: 'pipe' })
  })
})
