/**
 * Every example, ours and those of Argo Events, run as users run them, against what it reads from: only what is put into it is another
 * (see the files of `examples/`). What is sent arrives on the bus once, with the payload that its type describes.
 */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { diagnosticLine, loadManifest } from '../../src/manifest/load.ts'
import { loadSource } from '../../src/sources/index.ts'
import { type Listener, listenFrom } from '../faults/listener.ts'
import { dataOf, type Line, type Rig, type Status, startRig, waitFor } from '../faults/rig.ts'
import { calendars } from './examples/calendars.ts'
import { clouds } from './examples/clouds.ts'
import {
  type Example,
  exampleFiles,
  exampleText,
  namespaceOf,
  noUpstream,
  type Origin,
  placed,
  type Running,
  type Sent,
} from './examples/example.ts'
import { hooks } from './examples/hooks.ts'
import { messaging } from './examples/messaging.ts'
import { own } from './examples/own.ts'
import { stores } from './examples/stores.ts'

/** What does not run here, and why. */
const elsewhere: Record<string, string> = {
  'azure-events-hub-identity': 'logs in with Microsoft Entra ID',
  'eventbus-jetstream': 'has an EventBus: see eventbus-examples.test.ts',
  'eventbus-kafka': 'has an EventBus: see eventbus-examples.test.ts',
  'kafka-msk': 'logs in to Amazon MSK by AWS IAM',
}
/** Types that this version does not have. */
const notYet = ['azure-queue-storage', 'azure-service-bus', 'gerrit', 'redis-streams', 'sftp'].map(
  (name) => `upstream/${name}`,
)

/** Everything starts at the same time, on a machine that may be busy. */
const PATIENCE_MS = 120_000

const missing = noUpstream('upstream')

test('every example runs here, or it is said why not', () => {
  const run = [calendars, ...clouds, ...hooks, ...messaging, ...own, ...stores].flatMap(({ files }) => files)
  const named = [...run, ...Object.keys(elsewhere), ...notYet].filter(
    (file) => !missing || !file.startsWith('upstream/'),
  )
  assert.deepEqual(named.sort(), [...exampleFiles('ours'), ...exampleFiles('upstream')].sort())
})

for (const file of notYet) {
  test(`${file}: its type is not in this version`, { skip: missing }, async () => {
    const { manifest } = await loadManifest([{ file, text: exampleText(file) }])
    for (const { refused } of manifest.eventSources[0]!.entries) assert.match(refused ?? '', /not yet in this version/)
  })
}

suite('examples', { concurrency: true, timeout: 600_000 }, () => {
  // While that one waits for its time, the other has the machine.
  const waiting = runs('by the clock', [calendars])
  void runs('by what is sent', [...clouds, ...hooks, ...messaging, ...own, ...stores], waiting)
})

/** One run with all of them. @param turn when it may start @returns when it has started, or cannot */
function runs(title: string, origins: Origin[], turn = Promise.resolve()): Promise<void> {
  const settled = Promise.withResolvers<void>()
  suite(title, { concurrency: 1 }, () => {
    const skipOf = (file: string, skip: string | false) => skip || (file.startsWith('upstream/') && missing)
    const running: Running[] = []
    const examples: Record<string, Example> = {}
    /** What can only be said at the end. */
    const judgements: ((lines: Line[]) => void)[] = []
    let rig: Rig
    let listener: Listener

    before(() => turn.then(start).finally(settled.resolve))
    const start = async () => {
      const started = await Promise.allSettled(origins.filter(({ skip }) => !skip).map((one) => one.start()))
      for (const one of started) if (one.status === 'fulfilled') running.push(one.value)
      for (const one of started) if (one.status === 'rejected') throw one.reason
      for (const one of running) Object.assign(examples, one.examples)
      const texts = Object.entries(examples)
        .filter(([file]) => !skipOf(file, false))
        .map(([file, example]) => placed(file, example))
      rig = await startRig(() => texts.join('---\n'), { env: Object.assign({}, ...running.map(({ env }) => env)) })
      listener = listenFrom(`${rig.api}/v1/events?from=start`)
    }
    after(async () => {
      listener?.close()
      await rig?.close()
      await Promise.all(running.map((one) => one.close?.()))
    })

    /** Asked at most twice a second, however many wait. */
    let asked = { atMs: 0, status: Promise.resolve<Status | null>(null) }
    const status = async () => {
      if (performance.now() - asked.atMs > 500) asked = { atMs: performance.now(), status: rig.status() }
      return (await asked.status)!
    }

    suite('an event each', { concurrency: true }, () => {
      for (const { files, skip } of origins) {
        for (const file of files) {
          test(file, { skip: skipOf(file, skip) }, async () => {
            const example = examples[file]!
            const { manifest, diagnostics } = await loadManifest([{ file, text: placed(file, example) }])
            assert.deepEqual(diagnostics.filter(({ severity }) => severity === 'error').map(diagnosticLine), [])
            const entries = manifest.eventSources.flatMap(({ name, entries }) =>
              entries.map((entry) => ({ source: name, ...entry })),
            )
            assert.deepEqual(entries.map(({ name }) => name).sort(), Object.keys(example.entries).sort())
            await Promise.all(
              entries.map(async ({ source, name, type }) => {
                const entry = { namespace: namespaceOf(file), source, name, type }
                judgements.push(await arrives(entry, example.entries[name]!))
              }),
            )
          })
        }
      }
    })

    test('nothing is wrong, and every event is there once', async () => {
      const errors = async () =>
        (await rig.status()).eventSources.flatMap(({ namespace, entries }) =>
          entries.filter(({ error }) => error !== null).map(({ name, error }) => `${namespace} ${name}: ${error}`),
        )
      await waitFor(async () => (await errors()).length === 0, PATIENCE_MS, 500).catch(async () =>
        assert.deepEqual(await errors(), []),
      )
      assert.equal(await rig.stop(), 0)
      const lines = await rig.lines()
      for (const judge of judgements) judge(lines)
    })

    /** Sends until an event is there, for some origins forget what nobody was there for; then once more, which must arrive. */
    async function arrives(
      { namespace, source, name, type }: { namespace: string; source: string; name: string; type: string },
      { send, data }: Sent,
    ): Promise<(lines: Line[]) => void> {
      const subject = `default.${source}.${name}`
      const { event: schema } = (await loadSource(type))!
      const dataIn = (lines: Line[]) => lines.filter((line) => line.subject === subject).map(dataOf)
      let sent = 0
      let trouble: unknown = 'nothing'
      const attempt = async () => {
        try {
          await send?.(++sent)
          return true
        } catch (error) {
          trouble = error
          return false
        }
      }
      const until = (what: string, condition: () => Promise<boolean>) =>
        waitFor(condition, PATIENCE_MS, 1_000).catch(async () => {
          const is = (await served())?.error
          const there = JSON.stringify(dataIn(listener.lines).at(-1))
          const wanted = JSON.stringify(data(sent))
          assert.fail(
            `${namespace} ${name}: ${what}; its error: ${is}; trouble with the origin: ${trouble}\n wanted: ${wanted}\n last is: ${there}`,
          )
        })
      const served = async () =>
        (await status()).eventSources
          .find((one) => one.namespace === namespace && one.name === source)
          ?.entries.find((one) => one.name === name)

      await until('nobody serves', async () => {
        const entry = await served()
        return entry !== undefined && (entry.strategy === 'active-active' || entry.leader !== null)
      })
      await until('there is no event', async () => {
        if (dataIn(listener.lines).length > 0) return true
        await attempt()
        return false
      })
      if (send !== undefined) await until('the origin takes no more', attempt)
      const last = data(sent)
      await until(`there is no ${JSON.stringify(last)}`, async () =>
        dataIn(listener.lines).some((one) => has(one, last)),
      )
      return (lines) => {
        const found = dataIn(lines)
        for (const one of found) schema.parse(one)
        if (send === undefined) return
        const left = Array.from({ length: sent }, (_, i) => data(i + 1))
        for (const one of found) {
          const at = left.findIndex((wanted) => has(one, wanted))
          assert.ok(at >= 0, `${namespace} ${name}: not sent, or there twice: ${JSON.stringify(one)}`)
          left.splice(at, 1)
        }
      }
    }
  })
  return settled.promise
}

function has(data: unknown, members: object): boolean {
  try {
    assert.partialDeepStrictEqual(data, members)
    return true
  } catch {
    return false
  }
}
