/** What is said when something of ours fails: each with the redactor, and with it taken out. Faults that nobody has made yet are put in; their words are what they were given. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePorts } from '../servers/process.ts'
import { shownIn } from './sentinels.ts'
import { environment, ground, runSinks, type Sinks, started, until, type Without } from './sinks.ts'

const LIMIT_MS = 120_000
const MARK = 'S3ntinel000Zq7'
const marks = new Map([[MARK, 'a Secret']])
const found = (shown: string) => shownIn(shown, { marks })

const source = (spec: object) => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'EventSource',
  metadata: { name: 'es' },
  spec,
})
const known = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'known' }, stringData: { value: MARK } }

const ofPod: Record<string, Without[]> = {
  readiness: [
    {
      file: 'src/pod/pod.ts',
      find: 'notReadyBecause({ report: report(), bus: bus.status(), listening, refused, stopping }).map(redactor.redact)',
      replace: 'notReadyBecause({ report: report(), bus: bus.status(), listening, refused, stopping })',
    },
  ],
  log: [{ file: 'src/core/log.ts', find: '...redactedIn(said, redact)', replace: '...said' }],
}

test('a Pod whose Kafka bus has its login in its address, and does not answer: what /readyz and the log say of that', async (t) => {
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64')
  const sinksOf = async (without: Without[]): Promise<Sinks> => {
    const { dir } = ground(t, [], new Map())
    const [port, hook, nobody] = (await freePorts(3)) as [number, number, number]
    const args = ['eventsource-service', '--root', dir, '--bind', '127.0.0.1', '--metrics-port', `${port}`]
    const spec = { webhook: { w: { port: `${hook}`, endpoint: '/', method: 'POST' } } }
    const child = started(t, args, {
      ...environment(without),
      POD_NAME: 'es-0',
      LOG_LEVEL: 'debug',
      EVENTSOURCE_OBJECT: base64({ ...source(spec), metadata: { name: 'es', namespace: 'default' } }),
      EVENTBUS_CONFIG: base64({ kafka: { url: `u:${MARK}@127.0.0.1:${nobody}`, topic: 'events' } }),
    })
    const told = async () => {
      child.alive()
      const shown = await fetch(`http://127.0.0.1:${port}/readyz`).then(
        (answer) => answer.text(),
        () => '',
      )
      return /the bus does not answer: (?!not yet)/.test(shown) ? shown : null
    }
    const readiness = await until(LIMIT_MS, told, child.log)
    child.process.kill('SIGTERM')
    await child.ended
    return { readiness, log: child.log() }
  }
  for (const [sink, shown] of Object.entries(await sinksOf([]))) assert.deepEqual(found(shown), [], `shown in: ${sink}`)
  const bare = await sinksOf(Object.values(ofPod).flat())
  for (const sink of Object.keys(ofPod)) assert.notDeepEqual(found(bare[sink]!), [], `${sink}: ${bare[sink]}`)
})

/** It fails with what it was asked for. */
const faultOfApi: Without = {
  file: 'src/api/server.ts',
  find: '      answer(response, 200, await sendEvent(',
  replace:
    "      throw new Error('it ends with ' + JSON.stringify(body))\n      answer(response, 200, await sendEvent(",
}
const answerOfApi: Without = {
  file: 'src/api/server.ts',
  find: "answer(response, 500, { error: redact(messageOf(error)), code: 'BUG' })",
  replace: "answer(response, 500, { error: messageOf(error), code: 'BUG' })",
}

test('the HTTP API of a run that fails on a request: its answer 500', async (t) => {
  const place = ground(t, [known, source({ calendar: { c: { interval: '1h' } } })], new Map())
  const answerWith = async (without: Without[]): Promise<string> => {
    const { answer } = await runSinks(
      t,
      { ...place, dir: join(place.dir, `${without.length}`) },
      {
        without,
        limitMs: LIMIT_MS,
        async drive({ api, data }) {
          const { token } = JSON.parse(readFileSync(join(data, 'run.json'), 'utf8')) as { token: string }
          const answer = await fetch(`http://${api}/v1/send`, {
            method: 'POST',
            body: JSON.stringify({ source: 'es', entry: 'c', data: MARK }),
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          })
          assert.equal(answer.status, 500)
          return { answer: await answer.text() }
        },
      },
    )
    assert.match(answer!, /it ends with/)
    return answer!
  }
  assert.deepEqual(found(await answerWith([faultOfApi])), [])
  assert.notDeepEqual(found(await answerWith([faultOfApi, answerOfApi])), [])
})

const answerOfHost: Without = {
  file: 'src/local/host.ts',
  find: 'error: redact(messageOf(error)) }',
  replace: 'error: messageOf(error) }',
}

test('a host process that fails on what its supervisor asks: the answer, of which only the host knows what is secret', async (t) => {
  const entry = { url: 'nats://127.0.0.1:1', subject: 's', auth: { token: { name: 'filed', key: 'token' } } }
  const objects = (interval: string) => [source({ calendar: { c: { interval } }, nats: { n: entry } })]
  const file = 'filed/token'
  const place = ground(t, objects('1h'), new Map([[file, MARK]]))
  /** A change of the files is taken over by each host. */
  const fault: Without = {
    file: 'src/local/host.ts',
    find: '      return await host.apply(message.assignment)',
    replace: `      throw new Error('it ends with ' + (await import('node:fs')).readFileSync(${JSON.stringify(join(place.secrets, file))}, 'utf8'))`,
  }
  const logOf = async (without: Without[]): Promise<string> => {
    const write = (interval: string) =>
      writeFileSync(
        place.manifest,
        objects(interval)
          .map((one) => `---\n${JSON.stringify(one)}\n`)
          .join(''),
      )
    write('1h')
    const child = started(
      t,
      [
        'run',
        place.manifest,
        '--data',
        join(place.dir, `${without.length}`),
        '--secrets',
        place.secrets,
        '--listen',
        '127.0.0.1:0',
      ],
      environment(without),
    )
    const said = (text: RegExp) => async () => (child.alive() && text.test(child.log()) ? child.log() : null)
    // By then the host has read its Secret.
    await until(LIMIT_MS, said(/ready/), child.log)
    await until(LIMIT_MS, said(/127\.0\.0\.1:1\b/), child.log)
    write('2h')
    const log = await until(LIMIT_MS, said(/a host has not taken its objects over yet.*it ends with/), child.log)
    child.process.kill('SIGTERM')
    await child.ended
    return log
  }
  assert.deepEqual(found(await logOf([fault])), [])
  assert.notDeepEqual(found(await logOf([fault, answerOfHost])), [])
})
