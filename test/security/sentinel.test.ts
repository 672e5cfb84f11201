/** Credentials that are marked, in every field of every type that can hold one, and every place where they could turn up. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { freePorts } from '../servers/process.ts'
import { type Echo, echoServer } from './echo-server.ts'
import { type Sentinels, sentinels, shownIn } from './sentinels.ts'
import {
  type EntryOfStatus,
  environment,
  ground,
  runSinks,
  type Sinks,
  type Status,
  started,
  until,
  validateSinks,
  type Without,
} from './sinks.ts'

/** A machine may be busy. */
const LIMIT_MS = 400_000
/** Types whose hooks the echo refuses: their errors are remembered on the bus. */
const HOOKS = ['bitbucketserver', 'github', 'gitlab']
const hooksRefused = (entries: EntryOfStatus[]) =>
  HOOKS.every((type) => entries.some((entry) => entry.type === type && entry.error?.startsWith('hooks:')))

async function setUp(t: TestContext): Promise<Sentinels & { echo: Echo }> {
  const echo = await echoServer()
  t.after(echo.close)
  const ports = (await freePorts(2)) as [number, number]
  return { ...(await sentinels(echo.port, ports)), echo }
}

function clean(sinks: Sinks, marked: Sentinels): void {
  for (const [sink, text] of Object.entries(sinks)) assert.deepEqual(shownIn(text, marked), [], `shown in: ${sink}`)
}

test('every field of every type, against a server that echoes what it is sent: no sink shows a mark', async (t) => {
  const marked = await setUp(t)
  const place = ground(t, marked.objects, marked.files)
  const sinks = await runSinks(t, place, { limitMs: LIMIT_MS, enough: hooksRefused })
  const { eventSources } = JSON.parse(sinks.status) as Status
  const entries = eventSources.flatMap((one) => one.entries)
  const asked = marked.echo.connections()
  t.diagnostic(`${entries.length} entries, ${marked.marks.size} marks, ${asked} connections to the echo`)
  assert.ok(entries.filter(({ error }) => error !== null).length > entries.length / 2, 'most of them failed')
  assert.ok(asked > 20, 'the echo was asked')
  clean({ ...sinks, ...(await validateSinks(place)) }, marked)
  clean(await validateSinks(ground(t, marked.refused, new Map())), marked)
})

/** The redactor taken out of each sink: what the search of it must then find. They do not touch each other, so one run shows all. */
const takenOut: Record<'log' | 'status' | 'data directory', Without> = {
  log: { file: 'src/core/log.ts', find: '...redactedIn(said, redact)', replace: '...said' },
  status: {
    file: 'src/runtime/holding.ts',
    find: 'shownReport(replica.report(), redactor.redact)',
    replace: 'replica.report()',
  },
  'data directory': {
    file: 'src/runtime/registrar/registrar.ts',
    find: 'redact(summary(errors))',
    replace: 'summary(errors)',
  },
}

test('without the redactor of a sink the same search finds marks in that sink', async (t) => {
  const marked = await setUp(t)
  const types = [...HOOKS, 'generic']
  const objects = marked.objects.filter((one) => types.includes(typeOf(one)))
  const place = ground(t, objects, marked.files)
  const options = { without: Object.values(takenOut), limitMs: LIMIT_MS, enough: hooksRefused }
  const sinks = await runSinks(t, place, options)
  for (const sink of Object.keys(takenOut)) assert.notDeepEqual(shownIn(sinks[sink]!, marked), [], sink)
  for (const sink of ['metrics', 'processes']) assert.deepEqual(shownIn(sinks[sink]!, marked), [], sink)
})

test('without the redactor of validate it prints marks', async (t) => {
  const marked = await setUp(t)
  const objects = marked.objects.filter((one) => ['hdfs', 'nsq'].includes(typeOf(one)))
  const place = ground(t, objects, marked.files)
  clean(await validateSinks(place), marked)
  const file = 'src/cli/validate.ts'
  const sinks = await validateSinks(place, [
    { file, find: 'redactor.redact(diagnosticLine(one))', replace: 'diagnosticLine(one)' },
    { file, find: 'redactedIn(diagnostics.map(asJson), redact)', replace: 'diagnostics.map(asJson)' },
  ])
  for (const [sink, text] of Object.entries(sinks)) assert.notDeepEqual(shownIn(text, marked), [], sink)
})

const typeOf = (object: object): string => Object.keys((object as { spec: object }).spec)[0]!

const LOGIN = 'S3ntinel000Zq7'
const TOKEN = 'S3ntinel001Zq7'
const buses = {
  jetstream: (port: number) => ({ url: `nats://u:${LOGIN}@127.0.0.1:${port}`, streamConfig: '' }),
  kafka: (port: number) => ({ url: `u:${LOGIN}@127.0.0.1:${port},kafka://127.0.0.1:1/?token=${TOKEN}`, topic: 't' }),
}

for (const [kind, bus] of Object.entries(buses)) {
  test(`a Pod whose ${kind} bus has a login in its URL: neither log nor probes show it`, async (t) => {
    const echo = await echoServer()
    t.after(echo.close)
    const { dir } = ground(t, [], new Map())
    const [port] = await freePorts(1)
    const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64')
    const source = { metadata: { name: 's', namespace: 'default' }, spec: { calendar: { tick: { interval: '1s' } } } }
    const pod = started(t, ['eventsource-service', '--root', dir, '--bind', '127.0.0.1', '--metrics-port', `${port}`], {
      ...environment(),
      POD_NAME: 's-0',
      LOG_LEVEL: 'debug',
      EVENTSOURCE_OBJECT: base64(source),
      EVENTBUS_CONFIG: base64({ [kind]: bus(echo.port) }),
    })
    const get = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`).then(
        (answer) => answer.text(),
        () => '',
      )
    const ready = await until(
      LIMIT_MS,
      async () => {
        const text = pod.alive() && (await get('/readyz'))
        return text.includes('the bus does not answer') ? text : null
      },
      pod.log,
    )
    const marks = new Map([
      [LOGIN, 'login'],
      [TOKEN, 'token'],
    ])
    for (const [sink, text] of Object.entries({ ready, metrics: await get('/metrics'), log: pod.log() }))
      assert.deepEqual(shownIn(text, { marks }), [], sink)
  })
}
