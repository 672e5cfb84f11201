/** What is on the disks of a native bus, under one configuration and then another, with real servers. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { without } from '../../../test/servers/cache.ts'
import { type NatsLine, natsBinary } from '../../../test/servers/nats.ts'
import { answers, freePorts, startProcess } from '../../../test/servers/process.ts'
import type { KubeObject } from '../../kube/resources.ts'
import { planBus } from '../eventBus.ts'
import { settingsFrom } from '../settings.ts'
import { runningIn } from './chosen.ts'
import { natsConf, usesKey } from './natsConf.ts'

type Plain = Record<string, any>

const plan = (spec: Plain = {}, more: Plain = {}) => {
  const place = { file: '', line: 1, column: 1 }
  const jetstream = { version: 'latest', replicas: 1, persistence: {}, ...spec }
  const bus = { namespace: 'ns', name: 'default', labels: {}, kind: 'jetstream', spec: { jetstream }, place } as const
  return planBus({ bus, settings: settingsFrom({}), ...more })
}
const confOf = ({ objects }: { objects: KubeObject[] }) => (objects[0] as Plain).data['nats-js'] as string
const theirs = { running: { natsImage: 'nats:2.10.29', replicas: 1 } }
const cluster = { running: { natsImage: 'nats:2.10.29', replicas: 3 } }

suite('encryption at rest', () => {
  test("servers that Argo Events may have again keep its constant, which is said; others have the Secret's key", () => {
    const kept = plan({}, theirs)
    assert.match(confOf(kept), /^ {2}key: "\$JS_KEY"$/m)
    assert.doesNotMatch(confOf(kept), /prev_/)
    assert.match(kept.conditions.find(({ type }) => type === 'EncryptedByConstant')!.message!, /the text "\$JS_KEY"/)
    const ours = plan()
    assert.match(confOf(ours), /^ {2}key: \$JS_KEY\n {2}prev_encryption_key: "\$JS_KEY"$/m)
    assert.equal(
      ours.conditions.find(({ type }) => type === 'EncryptedByConstant'),
      undefined,
    )
    assert.ok(usesKey(confOf(ours)) && !usesKey(confOf(kept)))
    const own = plan({ settings: 'max_file_store: 1TB\nprev_encryption_key: $OTHER' })
    assert.equal(confOf(own).match(/prev_encryption_key/g)!.length, 1)
  })

  test('a cluster stays with what its disks have: its servers could not read their logs with another key', () => {
    const raised = plan({ replicas: 3, version: '2.15.2' }, cluster)
    assert.match(confOf(raised), /^ {2}key: "\$JS_KEY"\n {2}store_dir/m)
    assert.ok(raised.conditions.some(({ type }) => type === 'EncryptedByConstant'))
    const made = plan({ replicas: 3 })
    assert.match(confOf(made), /^ {2}key: \$JS_KEY\n {2}store_dir/m)
    const set = made.objects.find(({ kind }) => kind === 'StatefulSet')!
    const later = { ...cluster.running, natsImage: 'nats:2.15.2', ...runningIn(set, {}) }
    assert.equal(confOf(plan({ replicas: 3 }, { running: later })), confOf(made))
    assert.match(confOf(plan({ replicas: 3 }, { running: { natsImage: 'nats:2.15.2', replicas: 1 } })), /"\$JS_KEY"/)
  })

  test('a key of before is named by annotation, and comes from the Secret', () => {
    const rotated = plan({}, { previousKey: 'encryption-previous' })
    assert.match(confOf(rotated), /prev_encryption_key: \$JS_KEY_PREVIOUS/)
    const set = rotated.objects.find(({ kind }) => kind === 'StatefulSet') as Plain
    const env = set.spec.template.spec.containers[0].env.find(({ name }: Plain) => name === 'JS_KEY_PREVIOUS')
    assert.deepEqual(env.valueFrom.secretKeyRef, { name: 'eventbus-default-js-server', key: 'encryption-previous' })
    // Servers of a cluster would end of it.
    const three = plan({ replicas: 3 }, { previousKey: 'encryption-previous' })
    assert.deepEqual(three.objects.slice(0, 3), plan({ replicas: 3 }).objects.slice(0, 3))
    assert.ok(three.conditions.some(({ type }) => type === 'PreviousKeyIgnored'))
  })
})

suite('disks of before', {
  skip: without('nats-server', natsBinary('newest')) || without('nats-server 2.10', natsBinary('argo')),
  timeout: 120_000,
}, () => {
  /** One disk, and what its servers are told. */
  async function disk(t: TestContext) {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-disk-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const [port, monitor] = (await freePorts(2)) as [number, number]
    /** @returns how many messages the stream has, and that one more could be written; or what went wrong */
    return async (conf: string, keys: Record<string, string>, line: NatsLine = 'newest'): Promise<number | string> => {
      const local = conf
        .replaceAll('/var/run/nats', dir)
        .replaceAll('/data/jetstream', dir)
        .replace('port: 4222', `listen: "127.0.0.1:${port}"`)
        .replace('http: 8222', `http: "127.0.0.1:${monitor}"`)
        .replace('include ./auth.conf', '')
      writeFileSync(join(dir, 'nats.conf'), local)
      const server = await startProcess(natsBinary(line)!, ['-c', join(dir, 'nats.conf')], {
        ready: () => answers(port, '', () => true),
        env: { POD_NAME: 'p0', ...keys },
      }).catch((error: Error) => error.message)
      if (typeof server === 'string') return server
      try {
        const nc = await connect({ servers: `127.0.0.1:${port}`, reconnect: false })
        const jsm = await jetstreamManager(nc)
        await jsm.streams.add({ name: 'default', subjects: ['default.*.*'] })
        await nc.request('default.a.b', 'x')
        const { messages, first_seq: first } = (await jsm.streams.info('default')).state
        const bodies = []
        for (let seq = first; seq < first + messages; seq++)
          bodies.push((await jsm.streams.getMessage('default', { seq }))?.string())
        await nc.close()
        return bodies.every((body) => body === 'x') ? messages : `unreadable: ${bodies.join()}`
      } catch (error) {
        return String(error)
      } finally {
        await server.stop()
      }
    }
  }
  const K1 = { JS_KEY: '7yT3kq0PzW1m' }
  const K2 = { JS_KEY: 'anotherKeyOfThirtyTwoCharacters1' }

  test("a disk that Argo Events' server wrote goes on under the real key, and then needs it", async (t) => {
    const run = await disk(t)
    assert.equal(await run(confOf(plan({}, theirs)), K1, 'argo'), 1)
    assert.equal(await run(confOf(plan({}, theirs)), K2, 'argo'), 2, 'the key counted for nothing')
    const raised = confOf(plan({ version: '2.15.2' }, theirs))
    assert.equal(await run(raised, K1), 3)
    assert.equal(await run(raised, K1), 4)
    assert.equal(await run(raised.replace(/\n.*prev_encryption_key.*/, ''), K1), 5, 'all is written with the key')
    assert.notEqual(await run(raised, K2), 6)
  })

  for (const [line, version] of [
    ['oldest', '2.8.1'],
    ['debian', '2.9.12'],
    ['argo', '2.10.29'],
    ['newest', '2.15.2'],
  ] as const) {
    test(`a lone server of ${version} starts with what it is told`, {
      skip: without(`nats-server of ${line}`, natsBinary(line)),
    }, async (t) => {
      const run = await disk(t)
      const conf = confOf(plan({ version }))
      assert.equal(await run(conf, K1, line), 1)
      assert.equal(await run(conf, K1, line), 2)
    })
  }

  test('a key is rotated', async (t) => {
    const run = await disk(t)
    assert.equal(await run(confOf(plan()), K1), 1)
    const rotating = confOf(plan({}, { previousKey: 'encryption-previous' }))
    assert.equal(await run(rotating, { ...K1, JS_KEY_PREVIOUS: K1.JS_KEY }), 2)
    assert.equal(await run(rotating, { ...K2, JS_KEY_PREVIOUS: K1.JS_KEY }), 3)
    assert.equal(await run(confOf(plan()), K2), 4)
  })

  test("Argo Events' configuration reads it again, with the key named in settings", async (t) => {
    const run = await disk(t)
    assert.equal(await run(confOf(plan()), K1), 1)
    const its = (settings: string) =>
      natsConf({
        ...{ cluster: 'default', hosts: ['h'], maxPayload: '1MB', settings },
        ...{ encryption: { kind: 'constant' }, syncs: true },
      })
    assert.equal(await run(its('max_file_store: 1TB\nkey: $JS_KEY'), K1), 2)
    assert.notEqual(await run(its('max_file_store: 1TB'), K1), 3)
  })
})
