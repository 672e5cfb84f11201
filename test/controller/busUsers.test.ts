/**
 * Each EventSource of a native bus logs in as itself: a real API server, whose controllers make Pods, the controller with its shipped rights, and a real
 * nats-server that runs what is in ConfigMap and Secret. What a kubelet would do is done here, when the test says so: files are renewed, Pods run.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node'
import { openJetStream } from '../../src/bus/jetstream/bus.ts'
import { inboxOf } from '../../src/bus/jetstream/inbox.ts'
import { credentialsIn } from '../../src/buses/jetstreamExotic/addresses.ts'
import { connectNats } from '../../src/clients/nats.ts'
import { type PrepareStream, prepareStream } from '../../src/controller/busStream.ts'
import { readAuth } from '../../src/controller/eventBus/users.ts'
import { readUsers } from '../../src/controller/serverUsers.ts'
import { makeCertificate } from '../../src/controller/x509.ts'
import { systemClock as clock } from '../../src/core/clock.ts'
import { silentLogger as log } from '../../src/core/log.ts'
import type { KubeObject, Resource } from '../../src/kube/resources.ts'
import { event, kinds, until } from '../contract/bus.ts'
import { claimOf } from '../contract/jetstream.fixture.ts'
import { allReady, anyLeader, startPods } from '../pod/pods.ts'
import { without } from '../servers/cache.ts'
import { kubernetesBinaries } from '../servers/kubernetes/build.ts'
import { natsBinary } from '../servers/nats.ts'
import { freePorts, startProcess } from '../servers/process.ts'
import { bus, webhook } from './manifests.ts'
import { type Plain, type Rig, resources, startRig } from './rig.ts'
import { PodReady } from './workload.ts'

const { configmaps, deployments, eventbus, eventsources, pods, secrets, statefulsets } = resources
const skip =
  without('Kubernetes', kubernetesBinaries(['etcd', 'kube-apiserver', 'kube-controller-manager'])) ||
  without('nats-server', natsBinary('newest'))
const SERVER = 'eventbus-default-js-0'
const NATIVE = 'jetstream: { version: latest, replicas: 1 }'
const calendar = 'calendar: { tick: { interval: 10s } }'
/** Of both kinds. */
const both = `${webhook}, ${calendar}`
const sourceNamed = (name: string, namespace: string, spec: string) => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ${spec} }
---
`
const userSecret = (name: string) => `eventbus-default-js-user-${name}`

suite('logins of EventSources at a native bus', { skip, timeout: 300_000, concurrency: 4 }, () => {
  let rig: Rig
  /** Monitoring ports by Pod IP. */
  const monitors = new Map<string, number>()
  /** Where the servers are, by the address that they have in the cluster. */
  const clients = new Map<string, string>()
  before(async () => {
    rig = await startRig({ controllers: true })
    const ask = async (ip: string) => {
      const port = monitors.get(ip)
      return port === undefined ? 'nobody is there' : await readUsers(clock, port)('127.0.0.1')
    }
    const prepare: PrepareStream = async (access) => {
      const at = clients.get(access.url)
      return at === undefined ? 'nobody is there' : await prepareStream(clock)({ ...access, url: at })
    }
    await rig.startController({ readUsers: ask, prepareStream: prepare })
  })
  after(() => rig?.stop())

  const there = (what: string, condition: () => Promise<boolean>, withinMs = 30_000) => until(what, condition, withinMs)
  const values = async (ns: string, name: string): Promise<Record<string, string> | null> => {
    const found = (await rig.get(secrets, ns, name)) as Plain | null
    if (found === null) return null
    const text = (value: unknown) => Buffer.from(String(value), 'base64').toString()
    return Object.fromEntries(Object.entries(found.data ?? {}).map(([key, value]) => [key, text(value)]))
  }
  const authOf = async (ns: string) => (await values(ns, 'eventbus-default-js-server'))?.auth ?? ''
  const loginIn = async (ns: string, secret: string): Promise<{ user: string; pass: string }> => {
    await there(`Secret ${secret} is there`, async () => (await values(ns, secret)) !== null)
    return credentialsIn((await values(ns, secret))!['client-auth']!) as { user: string; pass: string }
  }
  /** Which Secret the Pods of an EventSource have their login from; null: there is no Deployment. */
  const loginSecret = async (ns: string, name: string): Promise<string | null> => {
    const deployment = (await rig.get(deployments, ns, `${name}-eventsource`)) as Plain | null
    const volumes: Plain[] = deployment?.spec.template.spec.volumes ?? []
    return volumes.find((one) => one.name === 'auth-volume')?.secret.secretName ?? null
  }
  const deployedAs = (ns: string, name: string, secret: string) =>
    there(`${name} logs in by ${secret}`, async () => (await loginSecret(ns, name)) === secret)
  const waits = async (ns: string, name: string, text: RegExp) => {
    let last: Plain | undefined
    await there(`${name} waits: ${text}`, async () => {
      last = await rig.condition(eventsources, ns, name, 'Deployed')
      return last?.reason === 'WaitsForLogin' && text.test(last.message)
    }).catch((error) => assert.fail(`${error.message}; it is ${JSON.stringify(last)}`))
  }
  /** By somebody who reads it again when another was faster. */
  const change = (resource: Resource, namespace: string, name: string, edit: (live: KubeObject) => KubeObject) =>
    there(`${name} is changed`, async () => {
      const live = (await rig.admin.get(resource, { namespace, name }))!
      return rig.admin.update(resource, edit(live)).then(
        () => true,
        () => false,
      )
    })
  const setData = (ns: string, name: string, data: (before: Record<string, string>) => Record<string, string>) =>
    change(secrets, ns, name, (live) => ({ ...live, data: data(live.data as Record<string, string>) }))
  const podsOf = async (ns: string, name: string) =>
    (await rig.admin.list(pods, { namespace: ns, labelSelector: `eventsource-name=${name}` })).items

  interface Server {
    /** The kubelet's renewal of the files, and the config-reloader's signal. */
    sync(): Promise<void>
    dial(options: ConnectionOptions): Promise<NatsConnection>
    url: string
  }
  let net = 0

  /** The server of the bus, as its Pod would run it. */
  async function startServer(t: TestContext, ns: string): Promise<Server> {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-bus-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const [port, monitor] = (await freePorts(2)) as [number, number]
    const local = (text: string) =>
      text
        .replaceAll('/etc/nats-config', dir)
        .replaceAll('/var/run/nats', dir)
        .replaceAll('/data/jetstream', join(dir, 'data'))
        .replace('port: 4222', `listen: "127.0.0.1:${port}"`)
        .replace('http: 8222', `http: "127.0.0.1:${monitor}"`)
    const files = {
      'auth.conf': 'auth',
      'server-key.pem': 'private-key',
      'server-cert.pem': 'cert',
      'ca-cert.pem': 'ca-cert',
    }
    const write = async () => {
      const server = (await values(ns, 'eventbus-default-js-server'))!
      for (const [file, key] of Object.entries(files)) writeFileSync(join(dir, file), local(server[key]!))
      return server
    }
    mkdirSync(join(dir, 'data'))
    await there(
      'the configuration is made',
      async () => (await rig.get(configmaps, ns, 'eventbus-default-js-config')) !== null,
    )
    // Of its owner: good for where it listens here.
    await setData(ns, 'eventbus-default-js-server', (data) => ({ ...data, ...localCertificate() }))
    const { encryption } = await write()
    const conf = join(dir, 'nats-js.conf')
    const map = (await rig.get(configmaps, ns, 'eventbus-default-js-config')) as Plain
    writeFileSync(conf, local(map.data['nats-js']))
    const env = { POD_NAME: SERVER, JS_KEY: encryption! }
    const ready = async () => typeof (await readUsers(clock, monitor)('127.0.0.1')) === 'number'
    const server = await startProcess(natsBinary('newest')!, ['-c', conf], { ready, env })
    t.after(() => server.stop())
    const podIP = `10.8.0.${++net}`
    monitors.set(podIP, monitor)
    clients.set(`nats://eventbus-default-js-svc.${ns}.svc:4222`, `nats://localhost:${port}`)
    await there('the Pod of the server is there', async () => (await rig.get(pods, ns, SERVER)) !== null)
    const status = { ...PodReady, podIP, podIPs: [{ ip: podIP }] }
    await rig.admin.applyStatus(
      pods,
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: SERVER, namespace: ns }, status },
      { manager: 'kubelet' },
    )
    const dial = async (options: ConnectionOptions) => {
      const nc = await connect({
        servers: `127.0.0.1:${port}`,
        reconnect: false,
        tls: { rejectUnauthorized: false } as object,
        ...options,
      })
      t.after(() => nc.close())
      return nc
    }
    return {
      url: `nats://localhost:${port}`,
      dial,
      async sync() {
        const { auth = '' } = await write()
        const { revision } = readAuth(auth)
        server.child.kill('SIGHUP')
        await there(
          'the server has read it',
          async () => (await readUsers(clock, monitor)('127.0.0.1')) === revision,
          10_000,
        )
      },
    }
  }

  /** Pods of an EventSource that run, as a kubelet reports them. */
  async function run(ns: string, name: string): Promise<void> {
    for (const { metadata, status } of await podsOf(ns, name)) {
      if ((status as { phase?: string }).phase === 'Running') continue
      const pod: KubeObject = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: metadata.name, namespace: ns },
        status: PodReady,
      }
      await rig.admin.applyStatus(pods, pod, { manager: 'kubelet' }).catch(() => null)
    }
  }

  test('no Pod before the server knows its user; with that it does its own work, and nothing of another', async (t) => {
    const ns = await rig.kubernetes.namespace('apart')
    await rig.apply(bus(ns, NATIVE))
    const server = await startServer(t, ns)
    // Whoever is connected stays so when the file is read anew.
    const sensor = await server.dial(await loginIn(ns, 'eventbus-default-js-client-auth'))
    const { streams } = await jetstreamManager(sensor)
    // As a Sensor makes it that comes first.
    await there(
      'the controller has made the stream',
      async () => (await streams.info('default').catch(() => null)) !== null,
    )
    await streams.delete('default')
    await streams.add({ name: 'default', subjects: ['default.*.*'] })
    await rig.apply(sourceNamed('mine', ns, both) + sourceNamed('theirs', ns, webhook))
    await there('it is raised', async () => (await streams.info('default')).config.allow_atomic === true)
    await waits(ns, 'mine', /^eventbus-default-js-0 does not know its login yet/)
    const [mine, theirs] = [await loginIn(ns, userSecret('mine')), await loginIn(ns, userSecret('theirs'))]
    assert.equal(mine.user, `${ns}/mine`)
    assert.notEqual(mine.pass, theirs.pass)
    assert.equal(await loginSecret(ns, 'mine'), null)
    await assert.rejects(server.dial(mine), /authorization/i)
    await there('both are in the file', async () => (await authOf(ns)).includes(`${ns}/theirs`))
    await server.sync()
    await deployedAs(ns, 'mine', userSecret('mine'))
    await deployedAs(ns, 'theirs', userSecret('theirs'))
    await there(
      'nothing is wrong',
      async () => (await rig.condition(eventsources, ns, 'mine', 'Deployed'))?.status === 'True',
    )
    assert.ok(!sensor.isClosed() && (await sensor.rtt()) >= 0)
    // Sensors go on with what they have.
    const { status } = (await rig.get(eventbus, ns, 'default')) as Plain
    assert.equal(status.config.jetstream.accessSecret.name, 'eventbus-default-js-client-auth')

    const source = { namespace: ns, name: 'mine' }
    const client = connectNats({
      servers: [server.url],
      name: 'mine',
      inbox: inboxOf(source),
      credentials: async () => mine,
      clock,
      log,
    })
    const opened = openJetStream({ client, streamConfig: 'replicas: 1', clock, log })
    t.after(() => opened.close().then(() => client.close()))
    await until('the bus is open', () => opened.status().connected, 30_000)
    const fence = await opened.claim(source, claimOf('r-0'))
    assert.deepEqual(kinds(await opened.appendFenced(fence, [event('a', { entry: 'tick', position: 1 })])), ['stored'])
    assert.deepEqual(kinds(await opened.append(source, [event('b', { entry: 'order' })])), ['stored'])
    assert.equal((await opened.saveSnapshot(fence, 'tick', Buffer.from('x'))).outcome, 'stored')
    const nc = await server.dial({ ...mine, inboxPrefix: inboxOf(source) })
    const api = [
      'STREAM.DELETE.default',
      'STREAM.PURGE.default',
      'STREAM.UPDATE.default',
      'CONSUMER.CREATE.default.x.default.theirs.order',
    ]
    for (const subject of ['default.theirs.order', `default.theirs.$term-${ns}`, ...api.map((one) => `$JS.API.${one}`)])
      await assert.rejects(nc.request(subject, '{}', { timeout: 2_000 }), /permissions violation/i, subject)
    assert.equal((await streams.info('default')).config.max_msgs, -1)
  })

  test('Pods run by what the Deployment and its Secrets say: they elect, serve, and are refused nothing', async (t) => {
    const ns = await rig.kubernetes.namespace('served')
    await rig.apply(
      bus(ns, NATIVE) + sourceNamed('mine', ns, `replicas: 2, ${webhook}, calendar: { tick: { interval: 1s } }`),
    )
    const server = await startServer(t, ns)
    await deployedAs(ns, 'mine', userSecret('mine'))
    await there('the user is in the file', async () => (await authOf(ns)).includes(`${ns}/mine`))
    await server.sync()
    const deployment = (await rig.get(deployments, ns, 'mine-eventsource')) as Plain
    const env: Plain[] = deployment.spec.template.spec.containers[0].env
    const told = (name: string) =>
      JSON.parse(Buffer.from(env.find((one) => one.name === name)!.value, 'base64').toString())
    const { jetstream } = told('EVENTBUS_CONFIG')
    assert.equal(jetstream.accessSecret.name, userSecret('mine'))
    const { caCertSecret } = jetstream.tls
    const running = await startPods(t, ['mine-a', 'mine-b'], {
      object: (port) => {
        const object = told('EVENTSOURCE_OBJECT')
        object.spec.webhook.order.port = `${port}`
        return object
      },
      bus: { jetstream: { ...jetstream, url: server.url } },
      files: {
        'etc/eventbus/auth/auth.yaml': (await values(ns, userSecret('mine')))!['client-auth']!,
        [`argo-events/secrets/${caCertSecret.name}/${caCertSecret.key}`]: (await values(ns, caCertSecret.name))![
          'ca-cert'
        ]!,
      },
    })
    await allReady(running, 60_000)
    const leader = await anyLeader(running)
    leader.child.kill('SIGKILL')
    await leader.exited()
    const next = await anyLeader(running.filter((pod) => pod !== leader))
    const sent = await fetch(`http://127.0.0.1:${next.port}/orders`, { method: 'POST', body: '{}' })
    assert.equal(sent.status, 200)
    const { streams } = await jetstreamManager(await server.dial(await loginIn(ns, 'eventbus-default-js-client-auth')))
    await there('both of its entries have told', async () => {
      const { subjects = {} } = (await streams.info('default', { subjects_filter: '>' })).state
      return subjects['default.mine.order'] === 1 && (subjects['default.mine.tick'] ?? 0) > 1
    })
    const refused = running
      .flatMap((pod) => pod.log())
      .filter((line) => /violation|refuses/i.test(JSON.stringify(line)))
    assert.deepEqual(refused, [])
  })

  test('a new entry waits until it may be published; what an old Pod needs stays until it is gone', async (t) => {
    const ns = await rig.kubernetes.namespace('entries')
    await rig.apply(bus(ns, NATIVE) + sourceNamed('mine', ns, webhook))
    const server = await startServer(t, ns)
    await there('the user is in the file', async () => (await authOf(ns)).includes('default.mine.order'))
    await server.sync()
    await deployedAs(ns, 'mine', userSecret('mine'))
    await there('its Pod is there', async () => (await podsOf(ns, 'mine')).length === 1)
    const { generation } = (await rig.get(deployments, ns, 'mine-eventsource'))!.metadata
    await rig.apply(sourceNamed('mine', ns, calendar))
    await there('it may both', async () => /default\.mine\.tick.*default\.mine\.order/.test(await authOf(ns)))
    await waits(ns, 'mine', /does not know its login yet/)
    assert.equal((await rig.get(deployments, ns, 'mine-eventsource'))!.metadata.generation, generation)
    await server.sync()
    await there(
      'it is rolled out',
      async () => (await rig.get(deployments, ns, 'mine-eventsource'))!.metadata.generation! > generation!,
    )
    await there('a new Pod is there', async () => (await podsOf(ns, 'mine')).length === 2)
    assert.match(await authOf(ns), /default\.mine\.order/)
    await there('the old one is gone, and its subjects with it', async () => {
      await run(ns, 'mine')
      return !(await authOf(ns)).includes('default.mine.order')
    })
    assert.equal((await podsOf(ns, 'mine')).length, 1)
    assert.match(await authOf(ns), /default\.mine\.tick/)
  })

  test('deleted: its Secret goes, its user only after its last Pod', async (t) => {
    const ns = await rig.kubernetes.namespace('deleted')
    await rig.apply(bus(ns, NATIVE) + sourceNamed('mine', ns, webhook) + sourceNamed('theirs', ns, webhook))
    const server = await startServer(t, ns)
    await there('both are in the file', async () => /\/mine"[\s\S]*\/theirs"/.test(await authOf(ns)))
    await server.sync()
    await deployedAs(ns, 'mine', userSecret('mine'))
    await there('its Pod is there', async () => (await podsOf(ns, 'mine')).length === 1)
    const [pod] = await podsOf(ns, 'mine')
    const finalizers = (of: string[]) =>
      change(pods, ns, pod!.metadata.name, (live) => ({ ...live, metadata: { ...live.metadata, finalizers: of } }))
    // It drains as long as this is there.
    await finalizers(['test.dev/drains'])
    const mine = await loginIn(ns, userSecret('mine'))
    const nc = await server.dial(mine)
    await rig.admin.delete(eventsources, { namespace: ns, name: 'mine' })
    // The garbage collector learns of kinds that are new to it every half minute.
    await there('its Secret is gone', async () => (await rig.get(secrets, ns, userSecret('mine'))) === null, 90_000)
    await there('its Pod is to go', async () => (await podsOf(ns, 'mine'))[0]!.metadata.deletionTimestamp !== undefined)
    // The bus is looked at again and again meanwhile: another EventSource that comes shows when that has been.
    await rig.apply(sourceNamed('later', ns, webhook))
    await there('a look has been', async () => (await authOf(ns)).includes(`${ns}/later`))
    assert.match(await authOf(ns), new RegExp(`${ns}/mine`))
    await server.sync()
    assert.ok((await nc.rtt()) >= 0)
    await finalizers([])
    await there('its user is gone', async () => !(await authOf(ns)).includes(`${ns}/mine`))
    await server.sync()
    await nc.closed()
    await assert.rejects(server.dial(mine), /authorization/i)
    assert.match(await authOf(ns), new RegExp(`${ns}/theirs`))
  })

  test('a Secret that is lost is made again with the same password; another password in it is taken over', async () => {
    const ns = await rig.kubernetes.namespace('healed')
    await rig.apply(bus(ns, NATIVE) + sourceNamed('mine', ns, webhook))
    await deployedAs(ns, 'mine', userSecret('mine'))
    const login = await loginIn(ns, userSecret('mine'))
    await rig.admin.delete(secrets, { namespace: ns, name: userSecret('mine') })
    const look = (priority: number) =>
      rig.apply(bus(ns, `jetstream: { version: latest, replicas: 1, priority: ${priority} }`))
    await look(1)
    assert.deepEqual(await loginIn(ns, userSecret('mine')), login)
    const other = Buffer.from(`username: ${login.user}\npassword: AnotherPassword1`).toString('base64')
    await setData(ns, userSecret('mine'), () => ({ 'client-auth': other }))
    await look(2)
    await there('the servers get it', async () => (await authOf(ns)).includes('AnotherPassword1'))
    // What they have is lost: it is made of the Secrets.
    await setData(ns, 'eventbus-default-js-server', ({ auth: _, ...rest }) => rest)
    await look(3)
    await there('it is there again', async () => (await authOf(ns)).includes('AnotherPassword1'))
    // One that is no login is none.
    await setData(ns, userSecret('mine'), () => ({ 'client-auth': Buffer.from('x').toString('base64') }))
    await look(4)
    await there('it is mended', async () =>
      (await values(ns, userSecret('mine')))!['client-auth']!.includes('AnotherPassword1'),
    )
  })

  test('an older version has given it the login that all share: it keeps that until the server knows its own', async (t) => {
    const ns = await rig.kubernetes.namespace('upgraded')
    await rig.apply(bus(ns, NATIVE))
    const server = await startServer(t, ns)
    await rig.apply(sourceNamed('mine', ns, webhook))
    await there('its user is in the file', async () => (await authOf(ns)).includes(`${ns}/mine`))
    // As that version made it.
    const object = (await rig.admin.get(eventsources, { namespace: ns, name: 'mine' }))!
    const older = olderDeployment(ns, object)
    await rig.admin.apply(deployments, older, { manager: 'vedette-controller' })
    await there('its Pod is there', async () => (await podsOf(ns, 'mine')).length === 1)
    await run(ns, 'mine')
    const pod = await server.dial(await loginIn(ns, 'eventbus-default-js-client-auth'))
    await waits(ns, 'mine', /does not know its login yet/)
    assert.equal(await loginSecret(ns, 'mine'), 'eventbus-default-js-client-auth')
    await server.sync()
    await deployedAs(ns, 'mine', userSecret('mine'))
    assert.ok(!pod.isClosed() && (await pod.rtt()) >= 0)
  })

  test('servers of Argo Events go on with one login for all', async () => {
    const ns = await rig.kubernetes.namespace('theirs')
    await rig.apply(bus(ns, NATIVE))
    await there('servers are there', async () => (await rig.get(statefulsets, ns, 'eventbus-default-js')) !== null)
    const before = await authOf(ns)
    // As if its controller had made it: a hash of its own, and no field of ours.
    await change(statefulsets, ns, 'eventbus-default-js', (live) => ({
      ...live,
      metadata: { ...live.metadata, annotations: { 'resource-spec-hash': 'theirs' }, managedFields: [{}] },
    }))
    await there(
      'they are taken over',
      async () => (await rig.condition(eventbus, ns, 'default', 'ServersKept')) !== undefined,
    )
    await rig.apply(sourceNamed('mine', ns, webhook))
    await deployedAs(ns, 'mine', 'eventbus-default-js-client-auth')
    assert.equal(await authOf(ns), before)
    assert.equal(await rig.get(secrets, ns, userSecret('mine')), null)
  })
})

/** Members of the Secret of the servers, for `localhost`. */
function localCertificate(): Record<string, string> {
  const times = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 3_600_000 }
  const ca = makeCertificate({ commonName: 'a ca', authority: true, ...times })
  const issuer = { commonName: 'a ca', key: ca.key }
  const made = makeCertificate({ commonName: 'nats', names: ['localhost'], usages: ['server'], issuer, ...times })
  const data = { cert: made.cert, 'private-key': made.key, 'ca-cert': ca.cert }
  return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
}

/** What a controller without users made of an EventSource: the shared login, and an image of before. */
function olderDeployment(namespace: string, { metadata }: KubeObject): KubeObject {
  const labels = { controller: 'eventsource-controller', 'eventsource-name': 'mine', 'owner-name': 'mine' }
  const owner = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    name: 'mine',
    uid: metadata.uid!,
    controller: true,
    blockOwnerDeletion: true,
  }
  const auth = {
    name: 'auth-volume',
    secret: { secretName: 'eventbus-default-js-client-auth', items: [{ key: 'client-auth', path: 'auth.yaml' }] },
  }
  const containers = [
    { name: 'main', image: 'img:0', volumeMounts: [{ name: 'auth-volume', mountPath: '/etc/eventbus/auth' }] },
  ]
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'mine-eventsource', namespace, labels, ownerReferences: [owner] },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers, volumes: [auth] } },
    },
  }
}
