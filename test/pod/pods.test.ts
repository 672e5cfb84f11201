/** `vedette eventsource-service` on a real nats-server: two and three Pods, killed, ended, and with credentials that change. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { argoChain } from '../argo-certificates.ts'
import { makeCertificate } from '../certificate.ts'
import { until } from '../contract/bus.ts'
import { jetStreamFor } from '../contract/jetstream.fixture.ts'
import { assertAcknowledgedOnce } from '../faults/checks.ts'
import { median } from '../faults/rig.ts'
import { startCrowd } from '../faults/senders.ts'
import { assertEveryTickOnce } from '../faults/ticks.ts'
import { without } from '../servers/cache.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { freePorts } from '../servers/process.ts'
import { allReady, anyLeader, leaderOf, linesOf, objectOf, startPod, startPods } from './pods.ts'

const ROUNDS = process.env.VEDETTE_FULL ? 10 : 3
const skip = without('nats-server', natsBinary('newest'))

/** Both strategies in one object. */
const clock = (port: number) =>
  objectOf('clock', {
    replicas: 3,
    calendar: { tick: { schedule: '', interval: '1000ms' } },
    webhook: { order: { endpoint: '/orders', method: 'POST', port: String(port), url: '' } },
  })

const jetstream = (url: string, more: object = {}) => ({
  jetstream: { url, streamConfig: 'duplicates: 300s\nmaxage: 24h\nmaxmsgs: 50000\nreplicas: 1\n', ...more },
})

test('3 Pods, again and again kill -9 of the leader: every tick and every acknowledged request is on the bus once', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const options = { object: clock, bus: jetstream(fixture.urls[0]!) }
  const pods = await startPods(t, ['clock-a', 'clock-b', 'clock-c'], options)
  await allReady(pods)
  const crowds = pods.map(({ port, name }) =>
    startCrowd(t, `http://127.0.0.1:${port}/orders`, { senders: 2, pauseMs: 5, name }),
  )
  const gaps: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    await anyLeader(pods)
    // A standby trusts its connection after a second.
    await pause(1_100 + Math.random() * 900)
    const leader = (await leaderOf(pods))!
    leader.child.kill('SIGKILL')
    const killedMs = performance.now()
    await leader.exited()
    await anyLeader(pods.filter((pod) => pod !== leader))
    gaps.push(performance.now() - killedMs)
    leader.restart()
    await allReady(pods)
  }
  await pause(1_500)
  await Promise.all(crowds.map((crowd) => crowd.stop()))
  const acknowledged = crowds.flatMap((crowd) => crowd.acknowledged)
  const ticks = assertEveryTickOnce(await linesOf(bus, 'clock', 'tick'))
  assertAcknowledgedOnce(await linesOf(bus, 'clock', 'order'), acknowledged)
  t.diagnostic(
    `${ticks} ticks, ${acknowledged.length} requests; kill to next leader: median ${median(gaps).toFixed(0)} ms, max ${Math.max(...gaps).toFixed(0)} ms`,
  )
  assert.ok(ticks >= 5 && acknowledged.length > 100)
  assert.ok(median(gaps) <= 1_000, `median gap ${median(gaps)} ms`)
  const reasons = pods.flatMap((pod) => pod.log().filter(({ msg, from }) => msg === 'leads' && from !== undefined))
  assert.deepEqual(
    reasons.map(({ reason }) => reason),
    Array(ROUNDS).fill('crash'),
  )
})

test('2 Pods, the leader frozen, thawed, and killed: every tick is on the bus once, and the frozen one stands by in the same process', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const pods = await startPods(t, ['clock-a', 'clock-b'], { object: clock, bus: jetstream(fixture.urls[0]!) })
  await allReady(pods)
  const frozen = await anyLeader(pods)
  const other = pods.find((pod) => pod !== frozen)!
  frozen.child.kill('SIGSTOP')
  await until('the other one leads', () => other.leads())
  await pause(2_000)
  frozen.child.kill('SIGCONT')
  await until('the frozen one stands by', async () => !(await frozen.leads()) && (await frozen.ready()))
  // A standby trusts its connection after a second.
  await pause(1_500)
  other.child.kill('SIGKILL')
  await until('it leads again', () => frozen.leads())
  await pause(1_500)
  assertEveryTickOnce(await linesOf(bus, 'clock', 'tick'))
  assert.equal(frozen.child.exitCode, null)
  const changes = pods.flatMap((pod) => pod.log().filter(({ msg, reason }) => msg === 'leads' && reason !== undefined))
  assert.deepEqual(changes.map(({ reason }) => reason).sort(), ['crash', 'frozen'])
})

test('SIGTERM in Kubernetes: unready at once, serves 5 s more with Connection: close, hands over, ends with 0', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const { bus } = await fixture.open()
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1' }
  const options = { object: clock, bus: jetstream(fixture.urls[0]!), env }
  const pods = await startPods(t, ['clock-a', 'clock-b'], options)
  await allReady(pods)
  const leader = await anyLeader(pods)
  const other = pods.find((pod) => pod !== leader)!
  const crowd = startCrowd(t, `http://127.0.0.1:${leader.port}/orders`, { senders: 4, pauseMs: 5 })
  await until('requests are answered', () => crowd.acknowledged.length > 20)
  leader.child.kill('SIGTERM')
  const toldMs = performance.now()
  await until('it is unready', async () => /stopping/.test((await leader.get('/readyz')).text))
  const unreadyMs = performance.now() - toldMs
  const answer = await fetch(`http://127.0.0.1:${leader.port}/orders`, {
    method: 'POST',
    body: '{"key":"late"}',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'late' },
  })
  assert.deepEqual([answer.status, answer.headers.get('connection')], [200, 'close'])
  await pause(3_000)
  assert.equal(await leader.leads(), true, 'it leads until it drains')
  await crowd.stop()
  assert.deepEqual(
    [...crowd.statuses.keys()].filter((status) => status !== 200),
    [],
    'no request fails before the port closes',
  )
  assert.equal(await leader.exited(), 0)
  const endedMs = performance.now() - toldMs
  await until('the other one leads', () => other.leads())
  t.diagnostic(`unready after ${unreadyMs.toFixed(0)} ms, ended after ${endedMs.toFixed(0)} ms`)
  assert.ok(unreadyMs < 1_000 && endedMs >= 4_900 && endedMs < 20_000)
  const leadsOf = () => other.log().find(({ msg }) => msg === 'leads')
  await until('it says that it leads', () => leadsOf() !== undefined)
  const leads = leadsOf()
  assert.deepEqual([leads?.reason, leads?.from], ['resigned', leader.name])
  await pause(1_500)
  assertEveryTickOnce(await linesOf(bus, 'clock', 'tick'))
  assertAcknowledgedOnce(await linesOf(bus, 'clock', 'order'), [...crowd.acknowledged, 'late'])
})

test('a bus that cannot be reached: not ready and says why, never ends; then credentials that change in the mounted file', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const [port] = (await freePorts(1)) as [number]
  const pod = await startPod(t, {
    object: clock,
    bus: jetstream(`nats://127.0.0.1:${port}`, { accessSecret: { name: 'bus-auth', key: 'client-auth' } }),
    name: 'clock-a',
  })
  const reason = async () => (await pod.get('/readyz')).text
  await until('it has started', async () => (await pod.get('/startupz')).status === 200, 20_000)
  assert.match(await reason(), /bus-auth.*client-auth.*auth\.yaml/)
  const post = () => fetch(`http://127.0.0.1:${pod.port}/orders`, { method: 'POST', body: '{}' })
  const refused = await post()
  assert.deepEqual([refused.status, refused.headers.has('retry-after')], [503, true])
  assert.equal((await pod.get('/healthz')).status, 200)

  pod.write('etc/eventbus/auth/auth.yaml', 'username: one\npassword: "wrong-8d1f"')
  const config = (user: string, password: string) =>
    `authorization { users: [{ user: ${user}, password: "${password}" }] }`
  const fixture = await jetStreamFor(t, { config: config('one', 'first-8d1f'), port })
  await until('it says that it is not let in', async () => /authorization/i.test(await reason()), 20_000)
  pod.write('etc/eventbus/auth/auth.yaml', 'username: one\npassword: "first-8d1f"')
  await until('it is ready', () => pod.ready(), 20_000)
  await until('it leads', () => pod.leads())

  pod.write('etc/eventbus/auth/auth.yaml', 'username: two\npassword: "second-8d1f"')
  await fixture.servers[0]!.kill()
  await until('the break is seen', async () => !(await pod.ready()))
  await fixture.servers[0]!.restart(config('two', 'second-8d1f'))
  await until('it is ready with the new ones', () => pod.ready(), 20_000)
  assert.equal((await post()).status, 200)
  assert.equal(pod.child.exitCode, null)
  assert.doesNotMatch(JSON.stringify(pod.log()), /8d1f/, 'no password is in the log')
})

test('what the controller of Argo Events wrote is taken as it is, mounts included: it waits for a bus that is not there', {
  timeout: 60_000,
}, async (t) => {
  const all = JSON.parse(readFileSync(new URL('../golden/pod-environments.json', import.meta.url), 'utf8'))
  for (const { EVENTSOURCE_OBJECT, EVENTBUS_CONFIG, ...env } of all.slice(0, 2)) {
    const [object, bus] = [JSON.parse(EVENTSOURCE_OBJECT), JSON.parse(EVENTBUS_CONFIG)]
    const auth = { 'etc/eventbus/auth/auth.yaml': 'username: a\npassword: b' }
    const tls = Object.fromEntries(
      ['ca.crt', 'tls.crt', 'tls.key'].map((key) => [`argo-events/secrets/my.tls_Secret/${key}`, '-']),
    )
    const pod = await startPod(t, { object: () => object, bus, name: 'p', env, files: { ...auth, ...tls } })
    await until('it has started', async () => (await pod.get('/startupz')).status === 200, 20_000)
    assert.match((await pod.get('/readyz')).text, new RegExp(`the bus does not answer: .*${bus.jetstream.url}`))
    assert.equal(pod.child.exitCode, null)
  }
})

test('TLS from mounted files on both sides: verified; a server with another certificate is taken once the files say so', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-tls-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const own = makeCertificate('client')
  const server = (name: string) => {
    // As Argo Events makes them for its native buses: OpenSSL takes them for self-signed.
    const { ca, cert, key } = argoChain()
    const files = { cert: `${name}.pem`, key: `${name}.key`, ca: 'client.pem' }
    writeFileSync(join(dir, files.cert), cert)
    writeFileSync(join(dir, files.key), key)
    writeFileSync(join(dir, files.ca), own.cert)
    const [cert_file, key_file, ca_file] = Object.values(files).map((file) => JSON.stringify(join(dir, file)))
    const config = `tls { cert_file: ${cert_file}, key_file: ${key_file}, ca_file: ${ca_file}, verify: true }`
    return { ca, config }
  }
  const [first, second] = [server('first'), server('second')]
  const fixture = await startNats({ config: first.config })
  t.after(() => fixture.close())
  const at = (key: string) => `argo-events/secrets/nats.tls/${key}`
  const selector = (key: string) => ({ name: 'nats.tls', key })
  const tls = {
    caCertSecret: selector('ca.crt'),
    clientCertSecret: selector('tls.crt'),
    clientKeySecret: selector('tls.key'),
  }
  const pod = await startPod(t, {
    object: clock,
    bus: jetstream(fixture.urls[0]!, { tls }),
    name: 'clock-a',
    files: { [at('ca.crt')]: first.ca, [at('tls.crt')]: own.cert, [at('tls.key')]: own.key },
  })
  await until('it is ready', () => pod.ready(), 20_000)
  const transports = pod.log().filter(({ transport }) => transport !== undefined)
  assert.deepEqual(
    transports.map(({ level, transport }) => [level, transport]),
    [['info', 'verified']],
  )
  await fixture.servers[0]!.kill()
  await until('the break is seen', async () => !(await pod.ready()))
  await fixture.servers[0]!.restart(second.config)
  await pause(1_500)
  assert.equal(await pod.ready(), false, 'another certificate is not taken')
  pod.write(at('ca.crt'), second.ca)
  await until('it is ready again', () => pod.ready(), 20_000)
})

test('a port that webhooks cannot have makes it unready; the token of a webhook is read anew from its mount', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const fixture = await jetStreamFor(t)
  const object = (port: number) =>
    objectOf('hook', {
      webhook: {
        example: {
          ...{ endpoint: '/example', method: 'POST', port: String(port), url: '' },
          authSecret: { name: 'tok', key: 't' },
        },
      },
    })
  const token = 'argo-events/secrets/tok/t'
  const pod = await startPod(t, {
    ...{ object, bus: jetstream(fixture.urls[0]!), name: 'hook-a' },
    files: { [token]: 'first\n' },
    env: { LEADER_ELECTION: 'k8s' },
  })
  await until('it is ready', () => pod.ready(), 20_000)
  const post = async (bearer: string) => {
    const url = `http://127.0.0.1:${pod.port}/example`
    return (await fetch(url, { method: 'POST', body: '{}', headers: { authorization: `Bearer ${bearer}` } })).status
  }
  assert.deepEqual([await post('first'), await post('second')], [200, 401])
  pod.write(token, 'second\n')
  await until('the new token counts', async () => (await post('second')) === 200)
  assert.equal(await post('first'), 401)
  const second = await startPod(t, { object: () => object(pod.port), bus: jetstream(fixture.urls[0]!), name: 'hook-b' })
  const running = async () =>
    (await second.get('/metrics')).text.match(/^argo_events_event_service_running_total\{.*\} (\d+)$/m)?.[1]
  await until('it says why', async () => /example does not listen: .*port/.test((await second.get('/readyz')).text))
  const { status, text } = await second.get('/readyz')
  assert.equal(status, 503)
  assert.match(text, /^not ready\nexample does not listen: .* port \d+ .*\(EADDRINUSE\): .*change the port\n$/)
  assert.equal((await second.get('/startupz')).status, 200, 'no reason to restart it')
  assert.equal(await running(), '0')
  pod.child.kill('SIGKILL')
  await until('it serves by itself once the port is free', () => second.ready(), 20_000)
  assert.equal(await running(), '1')
})

test('metrics and log lines have the names of Argo Events', { skip, timeout: 60_000 }, async (t) => {
  const fixture = await jetStreamFor(t)
  const pod = await startPod(t, { object: clock, bus: jetstream(fixture.urls[0]!), name: 'clock-a' })
  await until('an event is published', () => pod.says('Succeeded to publish an event'), 20_000)
  const { text } = await pod.get('/metrics')
  const labels = 'namespace="default",eventsource_name="clock"'
  for (const series of [
    `argo_events_event_service_running_total{${labels}} 2`,
    `argo_events_events_sent_total{${labels},event_name="tick"}`,
    `argo_events_events_sent_failed_total{${labels},event_name="tick"} 0`,
    `argo_events_events_processing_failed_total{${labels},event_name="order"} 0`,
    `argo_events_event_processing_duration_milliseconds_count{${labels},event_name="tick"}`,
    'build_info{version="',
  ]) {
    assert.ok(text.includes(series), `${series} is not in\n${text}`)
  }
  assert.ok(pod.says('starting eventsource server') && pod.says('Eventing server started.'))
  const published = pod.log().find(({ msg }) => msg === 'Succeeded to publish an event')!
  assert.match(String(published.ts), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const { ts: _, eventID, ...fields } = published
  assert.match(String(eventID), /^[0-9a-f]{32}$/)
  assert.deepEqual(fields, {
    level: 'info',
    logger: 'argo-events.eventsource',
    eventSourceName: 'clock',
    eventName: 'tick',
    eventSourceType: 'calendar',
    msg: 'Succeeded to publish an event',
  })
  const transports = pod.log().filter(({ transport }) => transport !== undefined)
  assert.deepEqual(
    transports.map(({ level, transport }) => [level, transport]),
    [['warn', 'plain']],
  )
})

test('a wrong environment ends with 1 and one line that names the variable', async (t) => {
  for (const [env, message] of [
    [{ POD_NAME: '' }, /^POD_NAME is not set: /],
    [{ EVENTSOURCE_OBJECT: '%%%' }, /^EVENTSOURCE_OBJECT is no base64: /],
    [{ LEADER_ELECTION_RENEW_DEADLINE: '6s' }, /^LEADER_ELECTION_LEASE_DURATION, .* cannot be used: /],
  ] as const) {
    const pod = await startPod(t, { object: clock, bus: jetstream('nats://127.0.0.1:1'), name: 'clock-a', env })
    assert.equal(await pod.exited(), 1)
    const { level, msg } = pod.log().at(-1)!
    assert.equal(level, 'error')
    assert.match(String(msg), message)
  }
})
