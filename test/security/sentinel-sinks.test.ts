/**
 * Each sink has its redactor: taken out of it, the search finds marks there. Driven by names: an entry, or what somebody sends, is called as a Secret
 * of the manifest is kept, so that whatever tells of it would show that.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freePorts } from '../servers/process.ts'
import { echoServer } from './echo-server.ts'
import { shownIn } from './sentinels.ts'
import { command, ground, runSinks, type Sinks, until, type Without } from './sinks.ts'

const LIMIT_MS = 120_000
const mark = (n: number) => `S3ntinel00${n}Zq7`
const [SECRET, LOGIN, TOKEN, BEARER] = [mark(0), mark(1), mark(2), mark(3)] as const
const marks = new Map([
  [SECRET, 'a Secret of the manifest'],
  [LOGIN, 'the login of a URL'],
  [TOKEN, 'a parameter of a URL'],
  [BEARER, 'a field that is sent along'],
])
const found = (text: string | undefined) => shownIn(text ?? '', { marks })

/** By sink: what is taken out. Where two stand one behind the other, both. */
type TakenOut = Record<string, Without[]>

const replica: Without = {
  file: 'src/runtime/holding.ts',
  find: 'shownReport(replica.report(), redactor.redact)',
  replace: 'replica.report()',
}
const shown = (find: string, replace: string): Without => ({ file: 'src/api/shown.ts', find, replace })
const ofStatus = shown('redactedIn(await run.status(), redact)', 'await run.status()')
const ofRun: TakenOut = {
  log: [{ file: 'src/core/log.ts', find: '...redactedIn(said, redact)', replace: '...said' }],
  status: [replica, ofStatus],
  'status for people': [replica, ofStatus],
  readiness: [replica, shown('redactedIn(await run.readiness(), redact)', 'await run.readiness()')],
  'readiness of deliveries': [
    shown('redactedIn(run.delivery(), redact)', 'run.delivery()'),
    { file: 'src/api/delivery/post.ts', find: 'body: redact(heard)', replace: 'body: heard' },
  ],
  metrics: [shown('shownMetrics(await run.metrics(), redact)', 'await run.metrics()')],
  'errors of the API': [
    {
      file: 'src/api/server.ts',
      find: '{ error: redact(error.message), code: error.code }',
      replace: '{ error: error.message, code: error.code }',
    },
  ],
}
const ofDoctor: Without[] = [
  {
    file: 'src/cli/doctor.ts',
    find: 'redactedIn(await examine(dir, tell), redact)',
    replace: 'await examine(dir, tell)',
  },
]

/** A receiver that takes nothing, and says by which word it was asked. @returns its port */
async function refusing(t: TestContext): Promise<number> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(401).end(request.headers.authorization?.split(' ').at(-1))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

/** An entry that serves, one that cannot, and a delivery whose receiver sends back what it is sent. */
async function named(t: TestContext) {
  const echo = await echoServer()
  t.after(echo.close)
  const [port] = (await freePorts(1)) as [number]
  const source = (name: string, spec: object) => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'EventSource',
    metadata: { name },
    spec,
  })
  const hook = { port: String(port), endpoint: '/hook', method: 'POST' }
  const nowhere = { url: 'nats://127.0.0.1:1', subject: 's' }
  const there = `http://u:${LOGIN}@127.0.0.1:${echo.port}/x?token=${TOKEN}`
  const github = {
    owner: 'a',
    repository: 'b',
    events: ['*'],
    ...Object.fromEntries(['githubBaseURL', 'githubUploadURL'].map((field) => [field, there])),
    apiToken: { name: 'known', key: 'value' },
    webhook: { ...hook, endpoint: '/github', url: 'https://hooks.example' },
  }
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'known' }, stringData: { value: SECRET } }
  const objects = [
    secret,
    source('serves', { webhook: { [SECRET]: hook } }),
    source('not', { nats: { [SECRET]: nowhere, [`http://u:${LOGIN}@h`]: nowhere }, github: { g: github } }),
  ]
  const place = ground(t, objects, new Map())
  const receiver = await refusing(t)
  const [to, along] = [join(place.dir, 'to'), join(place.dir, 'along')]
  writeFileSync(to, `http://u:${LOGIN}@127.0.0.1:${receiver}/x?token=${TOKEN}\n`)
  writeFileSync(along, `Authorization: Bearer ${BEARER}\n`)
  const args = ['--deliver-file', to, '--deliver-header-file', along]

  const post = async (url: string, body: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    })
    return { status: answer.status, text: await answer.text() }
  }
  const drive =
    (without: readonly Without[]) =>
    async ({ api, data }: { api: string; data: string }): Promise<Sinks> => {
      assert.equal((await post(`http://127.0.0.1:${port}/hook`, '{}')).status, 200)
      await until(
        LIMIT_MS,
        async () => ((await fetch(`http://${api}/readyz/delivery`)).status === 503 ? true : null),
        () => 'the delivery is held up',
      )
      const record = readFileSync(join(data, 'run.json'), 'utf8')
      const { token } = JSON.parse(record) as { token: string }
      const unknown = await post(`http://${api}/v1/send`, JSON.stringify({ source: SECRET, entry: 'e' }), {
        authorization: `Bearer ${token}`,
      })
      assert.equal(unknown.status, 404)
      return {
        'errors of the API': unknown.text,
        'doctor without its own': (await command(['doctor', '--data', data], [...without, ...ofDoctor])).join(''),
      }
    }
  return (without: readonly Without[] = []) =>
    runSinks(
      t,
      { ...place, dir: join(place.dir, `${without.length}`) },
      {
        without,
        args,
        limitMs: LIMIT_MS,
        drive: drive(without),
      },
    )
}

test('what is called like a Secret is shown nowhere; without the redactor of a sink it is found there', async (t) => {
  const run = await named(t)
  // Events are no words of ours: their subject has the entry's name, on the bus and so in the store.
  const { 'data directory': _, ...clean } = await run()
  for (const [sink, text] of Object.entries(clean)) assert.deepEqual(found(text), [], `shown in: ${sink}`)
  const bare = await run([
    ...new Map(
      Object.values(ofRun)
        .flat()
        .map((one) => [one.find, one]),
    ).values(),
  ])
  for (const sink of Object.keys(ofRun)) assert.notDeepEqual(found(bare[sink]), [], sink)
  const own = new Set(found(bare.doctor))
  assert.ok(
    found(bare['doctor without its own']).some((one) => !own.has(one)),
    'doctor hides what a status shows that is not redacted',
  )
})
