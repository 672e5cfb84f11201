/** What is refused before anything runs, what a Pod's probes say, and what the controller writes: each with the redactor, and with it taken out. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { createReaders } from '../../src/api/readers.ts'
import type { Readable } from '../../src/api/scan.ts'
import { streamEvents } from '../../src/api/stream.ts'
import type { LogState } from '../../src/bus/bus.ts'
import { systemClock } from '../../src/core/clock.ts'
import { fail } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/log.ts'
import { createRedactor } from '../../src/core/redact.ts'
import { answerOf } from '../../src/runtime/http/answer.ts'
import { without } from '../servers/cache.ts'
import { natsBinary, startNats } from '../servers/nats.ts'
import { freePorts } from '../servers/process.ts'
import { echoServer } from './echo-server.ts'
import { sentinels, shownIn } from './sentinels.ts'
import { command, environment, ground, runSinks, type Sinks, started, until, type Without } from './sinks.ts'

const LIMIT_MS = 120_000
const MARK = 'S3ntinel000Zq7'
const marks = new Map([[MARK, 'a Secret of the manifest']])
const found = (shown: string) => shownIn(shown, { marks })

const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'known' }, stringData: { value: MARK } }
const source = (spec: object) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'EventSource',
  metadata: { name: 'es' },
  spec,
})
/** Its error names the entry, which is called like the Secret. */
const misnamed = { webhook: { [MARK]: { port: 'none', endpoint: '/', method: 'POST' } } }
const refused = [secret, source(misnamed)]
/** What is rendered of it is a note: its Pods are refused. */
const privileged = {
  ...source({ calendar: { c: { interval: '1h' } }, template: { volumes: [{ name: 'v', hostPath: { path: MARK } }] } }),
  metadata: { name: 'noted' },
}

const main: Without = {
  file: 'src/cli/program.ts',
  find: 'printablePage(redactor.redact(text))',
  replace: 'printablePage(text)',
}
const errors: Without = {
  file: 'src/cli/render.ts',
  find: 'redactor.redact(diagnosticLine(error))',
  replace: 'diagnosticLine(error)',
}
const notes: Without = { file: 'src/cli/render.ts', find: 'redactor.redact(note)', replace: 'note' }

test('a start that fails, and render, of what is refused', async (t) => {
  const of = (objects: object[]) => ground(t, objects, new Map())
  const { dir, manifest } = of(refused)
  const commands: [args: string[], without: Without][] = [
    [['run', manifest, '--data', `${dir}/data`, '--listen', '127.0.0.1:0'], main],
    [['render', manifest], errors],
    [['render', of([secret, privileged]).manifest], notes],
  ]
  for (const [args, without] of commands) {
    // What render writes to stdout are the objects, as they are.
    const [, said] = await command(args)
    assert.match(said, /spec\.(webhook|template)/)
    assert.deepEqual(found(said), [], args.join(' '))
    assert.notDeepEqual(found((await command(args, [without]))[1]), [], `${args[0]} without ${without.find}`)
  }
})

test('a change of the files that is refused: neither status nor log shows what is wrong with it unredacted', async (t) => {
  const served = [secret, source({ calendar: { c: { interval: '1h' } } })]
  const place = ground(t, served, new Map())
  const run = (without: Without[]) => {
    writeFileSync(place.manifest, yaml(served))
    return runSinks(
      t,
      { ...place, dir: `${place.dir}/${without.length}` },
      {
        without,
        limitMs: LIMIT_MS,
        async drive({ api }) {
          writeFileSync(place.manifest, yaml(refused))
          const problems = async () => {
            const status = (await (await fetch(`http://${api}/v1/status`)).json()) as { problems: string[] }
            return status.problems.length > 0 ? status.problems : null
          }
          return { problems: (await until(LIMIT_MS, problems, () => 'no problem is told')).join() }
        },
      },
    )
  }
  for (const [sink, shown] of Object.entries(await run([]))) assert.deepEqual(found(shown), [], `shown in: ${sink}`)
  const bare = await run([
    { file: 'src/api/shown.ts', find: 'redactedIn(await run.status(), redact)', replace: 'await run.status()' },
  ])
  for (const sink of ['problems', 'status', 'status for people']) assert.notDeepEqual(found(bare[sink]!), [], sink)
})

const yaml = (objects: object[]) => objects.map((one) => `---\n${JSON.stringify(one)}\n`).join('')

/** A fault of ours that nobody has made yet: its words are what it was given. */
const fault: Without = {
  file: 'src/local/host.ts',
  find: '  await apply(assignment)',
  replace: "  throw new Error('it ends with ' + JSON.stringify(assignment.secrets))",
}
const lastWords: Without = {
  file: 'src/local/host.ts',
  find: 'printablePage(redact(why))',
  replace: 'printablePage(why)',
}

test('a process of a run that ends by a fault: its last words', async (t) => {
  const { dir, manifest } = ground(t, [secret, source({ calendar: { c: { interval: '1h' } } })], new Map())
  const wordsOf = async (without: Without[]) => {
    const args = ['run', manifest, '--data', `${dir}/${without.length}`, '--listen', '127.0.0.1:0']
    const child = started(t, args, environment(without))
    const told = async () => (child.alive() && child.log().includes('it ends with') ? child.log() : null)
    const words = await until(LIMIT_MS, told, child.log)
    child.process.kill('SIGTERM')
    await child.ended
    return words
  }
  assert.deepEqual(found(await wordsOf([fault])), [])
  assert.notDeepEqual(found(await wordsOf([fault, lastWords])), [])
})

const pod: Record<string, Without[]> = {
  readiness: [
    {
      file: 'src/pod/pod.ts',
      find: 'notReadyBecause({ report: report(), bus: bus.status(), listening, refused, stopping }).map(redactor.redact)',
      replace: 'notReadyBecause({ report: report(), bus: bus.status(), listening, refused, stopping })',
    },
    {
      file: 'src/pod/pod.ts',
      find: 'notServedHere({ report: report(), listening, refused }).map(redactor.redact)',
      replace: 'notServedHere({ report: report(), listening, refused })',
    },
  ],
  metrics: [
    {
      file: 'src/pod/pod.ts',
      find: 'shownMetrics(await metrics.registry.metrics(), redactor.redact)',
      replace: 'await metrics.registry.metrics()',
    },
  ],
  log: [{ file: 'src/core/log.ts', find: '...redactedIn(said, redact)', replace: '...said' }],
}

test('a Pod that serves, and has an entry that is called like the login of its bus: log, probes, metrics', {
  skip: without('nats-server', natsBinary('newest')),
}, async (t) => {
  const nats = await startNats({ config: `authorization { user: u, password: ${MARK} }` })
  t.after(() => nats.close())
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64')
  const nowhere = { url: 'nats://127.0.0.1:1', subject: 's' }
  const spec = { calendar: { [MARK]: { interval: '1s' } }, nats: { nowhere, [`${MARK}-2`]: nowhere } }
  const url = nats.urls[0]!.replace('://', `://u:${MARK}@`)
  const sinksOf = async (without: Without[]): Promise<Sinks> => {
    const { dir } = ground(t, [], new Map())
    const [port] = (await freePorts(1)) as [number]
    const args = ['eventsource-service', '--root', dir, '--bind', '127.0.0.1', '--metrics-port', `${port}`]
    const child = started(t, args, {
      ...environment(without),
      POD_NAME: 'es-0',
      LOG_LEVEL: 'debug',
      EVENTSOURCE_OBJECT: base64({ ...source(spec), metadata: { name: 'es', namespace: 'default' } }),
      EVENTBUS_CONFIG: base64({ jetstream: { url, streamConfig: 'replicas: 1' } }),
    })
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    const told = async () => {
      child.alive()
      const shown = await get('/readyz').catch(() => '')
      return /nothing listens there.*\n.*nothing listens there/.test(shown) && /Succeeded to publish/.test(child.log())
        ? shown
        : null
    }
    const readiness = await until(LIMIT_MS, told, child.log)
    const metrics = await get('/metrics')
    child.process.kill('SIGTERM')
    await child.ended
    return { readiness, metrics, log: child.log() }
  }
  for (const [sink, shown] of Object.entries(await sinksOf([]))) assert.deepEqual(found(shown), [], `shown in: ${sink}`)
  const bare = await sinksOf(Object.values(pod).flat())
  for (const sink of Object.keys(pod)) assert.notDeepEqual(found(bare[sink]!), [], sink)
})

const ofController: Record<string, Without[]> = {
  status: [
    {
      file: 'src/controller/status.ts',
      find: 'const shown = shownFor(live)',
      replace: 'const shown = (text: string) => text',
    },
  ],
  Events: [
    {
      file: 'src/controller/events.ts',
      find: 'shownFor(about)(happening.message)',
      replace: 'happening.message',
    },
  ],
  admission: [
    {
      file: 'src/controller/admission.ts',
      find: 'const shown = shownFor({ spec: [object.spec, oldObject?.spec] })',
      replace: 'const shown = (text: string) => text',
    },
  ],
  probes: [{ file: 'src/controller/health.ts', find: 'printable(withoutCredentials(one))', replace: 'printable(one)' }],
}

test('what the controller writes of an object whose errors repeat its fields: status, Events, admission, probes', async (t) => {
  const echo = await echoServer()
  t.after(echo.close)
  const marked = await sentinels(echo.port, (await freePorts(2)) as [number, number])
  // What is wrong with it is said with its name, which is the password of its neighbour.
  const neighbour = { nats: { n: { url: `nats://u:${MARK}@h`, subject: 's' } } }
  const objects = [...marked.objects, ...marked.refused, source({ ...misnamed, ...neighbour })]
  const clean = await controllerSinks(objects)
  assert.ok(clean.status!.includes('the server said') && clean.Events!.includes('the server said'))
  for (const [sink, shown] of Object.entries(clean)) {
    // A probe tells of no object: of what it says, URLs are looked at.
    if (sink !== 'probes') assert.deepEqual(shownIn(shown, marked), [], `shown in: ${sink}`)
  }
  const bare = await controllerSinks(objects, Object.values(ofController).flat())
  for (const sink of Object.keys(ofController)) {
    const before = new Set(shownIn(clean[sink]!, marked))
    assert.ok(
      shownIn(bare[sink]!, marked).some((one) => !before.has(one)),
      sink,
    )
  }
})

async function controllerSinks(objects: object[], without: Without[] = []): Promise<Sinks> {
  const script = new URL('./controller-sinks.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script], { env: environment(without), stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(objects))
  return JSON.parse(await text(child.stdout)) as Sinks
}

test('words that a library would have to bring: the answer to a sender, the end of a stream of events', async (t) => {
  const redactor = createRedactor()
  redactor.hide(MARK)
  const { redact } = redactor
  for (const code of ['EVENT_INVALID', 'EVENT_TOO_LARGE'] as const)
    assert.equal(answerOf(fail(code, `not ${MARK}`), silentLogger, redact).body, 'not ***')
  const log: Readable = {
    state: async () => ({ firstSeq: 1, lastSeq: 1 }) as LogState,
    // biome-ignore lint/correctness/useYield: it fails before
    async *read() {
      throw new Error(`not ${MARK}`)
    },
  }
  const readers = createReaders({ most: 1 }, { clock: systemClock, log: silentLogger })
  const server = createServer((request, response) =>
    streamEvents(log, request, response, { from: 'start', follow: false }, { readers, redact }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { body } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  let said = ''
  // It is no proper end.
  await assert.rejects(async () => {
    for await (const chunk of body!) said += Buffer.from(chunk)
  })
  assert.match(said, /: not \*\*\*\n/)
})
