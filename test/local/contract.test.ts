/** The command line's contract (docs: README, `--help`), with real processes. */
import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { EventLine } from '../../src/api/line.ts'
import { waitFor } from '../faults/rig.ts'
import { freePorts } from '../servers/process.ts'
import { cli, directory, manifest, start } from './program.ts'

const post = (port: number, body: unknown) =>
  fetch(`http://127.0.0.1:${port}/orders`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })

const parsed = (stdout: string): EventLine[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EventLine)

test('a run from start to stop', async (t) => {
  const dir = directory(t)
  const file = join(dir, 'shop.yaml')
  const [api, port] = (await freePorts(2)) as [number, number]
  writeFileSync(file, manifest(port))
  const data = ['--data', join(dir, 'data')]

  assert.equal((await cli('status', ...data)).code, 3)
  assert.equal((await cli('failover', 'shop', ...data)).code, 3)
  assert.equal((await cli('send', 'shop', 'orders', ...data)).code, 3)
  assert.equal((await cli('tail', '-n', '1', ...data)).code, 3)
  assert.equal((await cli('stop', ...data)).code, 0)

  const run = start(t, 'run', file, '--listen', `127.0.0.1:${api}`, ...data)
  await run.says('ready\n')
  assert.equal((await post(port, { n: 1 })).status, 200)
  assert.equal((await fetch(`http://127.0.0.1:${api}/readyz`)).status, 200)
  assert.equal((await fetch(`http://127.0.0.1:${api}/healthz`)).status, 200)

  await t.test('status', async () => {
    await waitFor(async () => {
      const { eventSources } = JSON.parse((await cli('status', '--json', ...data)).stdout)
      return eventSources[0].entries.every((entry: { published: number }) => entry.published > 0)
    })
    const status = JSON.parse((await cli('status', '--json', ...data)).stdout)
    const [shop] = status.eventSources
    assert.deepEqual([shop.name, shop.namespace, shop.replicas.length], ['shop', 'default', 2])
    const entries = new Map(shop.entries.map((entry: { name: string }) => [entry.name, entry]))
    const [orders, tick] = [entries.get('orders'), entries.get('tick')] as Record<string, unknown>[]
    assert.deepEqual(
      [orders!.type, orders!.strategy, orders!.term, orders!.leader],
      ['webhook', 'active-active', null, null],
    )
    assert.deepEqual([orders!.published, orders!.error], [1, null])
    assert.match(String(orders!.lastEventAt), /^\d{4}-.*Z$/)
    assert.equal(tick!.strategy, 'active-passive')
    assert.equal(tick!.term, 1)
    assert.match(String(tick!.leader), /^shop-[01]$/)
    assert.deepEqual(
      shop.replicas.map((replica: { id: string; state: string; restarts: number }) => [
        replica.id,
        replica.state,
        replica.restarts,
      ]),
      [
        ['shop-0', 'serving', 0],
        ['shop-1', 'serving', 0],
      ],
    )
    assert.deepEqual(status.bus, { kind: 'embedded', fencing: 'strict', connected: true })
    assert.deepEqual(status.failovers, [])
    assert.match((await cli('status', ...data)).stdout, /shop \/ tick +calendar +shop-[01] +1 /)
  })

  await t.test('tail', async () => {
    for (let n = 2; n <= 5; n++) assert.equal((await post(port, { n })).status, 200)
    const orders = ['--source', 'shop', '--entry', 'orders', '--json', ...data]
    const all = parsed((await cli('tail', '--from', 'start', ...orders)).stdout)
    const bodies = (lines: EventLine[]) =>
      lines.map(({ event }) => JSON.parse(Buffer.from(String(event.data_base64), 'base64').toString()).body.n)
    assert.deepEqual(bodies(all), [1, 2, 3, 4, 5])
    assert.deepEqual(Object.keys(all[0]!), ['seq', 'time', 'subject', 'event'])
    assert.equal(all[0]!.subject, 'default.shop.orders')
    assert.deepEqual(bodies(parsed((await cli('tail', '-n', '2', ...orders)).stdout)), [4, 5])
    assert.deepEqual(bodies(parsed((await cli('tail', '--from', 'start', '-n', '2', ...orders)).stdout)), [1, 2])
    assert.deepEqual(bodies(parsed((await cli('tail', '--from', String(all[2]!.seq), ...orders)).stdout)), [3, 4, 5])
    assert.equal((await cli('tail', '--from', 'now', ...orders)).stdout, '')
    assert.equal((await cli('tail', '--from', 'soon', ...orders)).code, 2)
    const text = (await cli('tail', '-n', '1', '--entry', 'orders', ...data)).stdout
    assert.match(text, /shop\.orders .*"n":5/)
  })

  await t.test('failover', async () => {
    const { code, stdout } = await cli('failover', 'shop', ...data)
    assert.equal(code, 0)
    assert.match(stdout, /^shop-[01] leads shop now \(term 2, before: shop-[01]\)\n$/)
    const status = JSON.parse((await cli('status', '--json', ...data)).stdout)
    const [failover] = status.failovers
    assert.deepEqual([failover.source, failover.term, failover.reason], ['shop', 2, 'resigned'])
    assert.notEqual(failover.from, failover.to)
    assert.equal((await cli('failover', 'nobody', ...data)).code, 1)
  })

  await t.test('send and replay', async () => {
    assert.equal((await cli('send', 'shop', 'orders', '{"n":6}', ...data)).code, 0)
    assert.equal((await cli('send', 'shop', 'orders', '{', ...data)).code, 1)
    assert.equal((await cli('send', 'shop', 'no', '{}', ...data)).code, 1)
    const [sent] = parsed((await cli('tail', '-n', '1', '--entry', 'orders', '--json', ...data)).stdout)
    const range = ['--from', String(sent!.seq), '--to', String(sent!.seq), ...data]
    assert.match((await cli('replay', ...range)).stdout, /^1 event, .*\n.*\nnothing is stored yet/)
    assert.match((await cli('replay', ...range, '--yes')).stdout, /stored 1 again/)
    const [before, copy] = parsed((await cli('tail', '-n', '2', '--entry', 'orders', '--json', ...data)).stdout)
    assert.equal(before!.seq, sent!.seq)
    assert.equal(copy!.event.data_base64, sent!.event.data_base64)
    assert.notEqual(copy!.event.id, sent!.event.id)
  })

  await t.test('a second run in the same directory, or on the same port, is refused', async () => {
    const same = await cli('run', file, '--listen', '127.0.0.1:0', ...data)
    assert.equal(same.code, 1)
    assert.match(same.stderr, new RegExp(`process id ${run.child.pid}`))
    const other = await cli('run', file, '--listen', `127.0.0.1:${api}`, '--data', join(dir, 'other'))
    assert.equal(other.code, 1)
    assert.match(other.stderr, /--listen/)
    assert.equal((await post(port, { n: 7 })).status, 200)
  })

  await t.test('doing needs the token, and the token is only in the directory', async () => {
    const stop = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${api}/v1/stop`, { method: 'POST', headers })
    assert.equal((await stop({})).status, 401)
    assert.equal(statSync(join(dir, 'data')).mode & 0o777, 0o700)
    assert.equal(statSync(join(dir, 'data', 'run.json')).mode & 0o777, 0o600)
  })

  const stopped = await cli('stop', ...data)
  assert.equal(stopped.code, 0)
  assert.equal(await run.exited, 0)
  assert.equal(run.stdout(), 'ready\n')
  assert.equal((await cli('status', ...data)).code, 3)
  assert.equal((await cli('stop', ...data)).code, 0)
  const kept = parsed((await cli('tail', '--from', 'start', '--entry', 'orders', '--json', ...data)).stdout)
  assert.equal(kept.length, 8)
  const [last] = parsed((await cli('tail', '-n', '1', '--entry', 'orders', '--json', ...data)).stdout)
  assert.equal(last!.seq, kept.at(-1)!.seq)
})

test('following goes on from one run to the next, each event once', async (t) => {
  const dir = directory(t)
  const file = join(dir, 'shop.yaml')
  const [port] = (await freePorts(1)) as [number]
  writeFileSync(file, manifest(port, { replicas: 1 }).replace(/ {2}calendar:[\s\S]*/, ''))
  const data = ['--data', join(dir, 'data')]
  const run = (async () => {
    const one = start(t, 'run', file, '--listen', '127.0.0.1:0', ...data)
    await one.says('ready\n')
    return one
  })()
  const first = await run
  const tail = start(t, 'tail', '--json', ...data)
  await waitFor(async () => {
    await post(port, { n: 0 })
    return tail.stdout().includes('\n')
  })
  first.child.kill('SIGTERM')
  assert.equal(await first.exited, 0)
  const second = start(t, 'run', file, '--listen', '127.0.0.1:0', ...data)
  await second.says('ready\n')
  for (let n = 1; n <= 3; n++) assert.equal((await post(port, { n })).status, 200)
  const all = parsed((await cli('tail', '--from', 'start', '--json', ...data)).stdout).map(({ seq }) => seq)
  await waitFor(async () => parsed(tail.stdout()).at(-1)?.seq === all.at(-1)).catch((error) => {
    throw new Error(`${error.message}: ${tail.stderr()}`)
  })
  const followed = parsed(tail.stdout()).map(({ seq }) => seq)
  assert.deepEqual(followed, all.slice(-followed.length))
})

test('what cannot run says why, and ends with the right code', async (t) => {
  const dir = directory(t)
  const at = (name: string, yaml: string) => {
    const file = join(dir, name)
    writeFileSync(file, yaml)
    return file
  }
  const [port] = (await freePorts(1)) as [number]
  const good = manifest(port)
  const bus = (name: string, spec: string) =>
    `---\napiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: { name: ${name} }\nspec: ${spec}\n`
  const native = '{ jetstream: { version: latest } }'
  for (const [file, code, words] of [
    [at('broken.yaml', 'spec: [\n'), 1, /broken\.yaml:\d+:\d+/],
    [at('empty.yaml', ''), 1, /./],
    [join(dir, 'missing.yaml'), 1, /missing\.yaml/],
    [at('two.yaml', good + bus('default', native) + bus('other', native)), 1, /EventBus other/],
    [at('kafka.yaml', good + bus('default', '{ kafka: { url: "127.0.0.1:9092", sasl: {} } }')), 1, /needs userSecret/],
  ] as const) {
    const ended = await cli('run', file, '--listen', '127.0.0.1:0', '--data', join(dir, 'data'))
    assert.equal(ended.code, code, ended.stderr)
    assert.match(ended.stderr, words)
    assert.equal(ended.stdout, '')
  }
  assert.equal((await cli('run')).code, 2)
  assert.equal((await cli('run', 'x.yaml', '--listen', 'here')).code, 2)
  assert.equal((await cli('run', at('ok.yaml', good), '--deliver', 'nowhere', '--data', join(dir, 'data'))).code, 2)

  const fine = at(
    'native.yaml',
    good +
      bus('default', native) +
      '---\napiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: { name: s }\nspec: {}\n',
  )
  const run = start(t, 'run', fine, '--listen', '127.0.0.1:0', '--data', join(dir, 'data'))
  await run.says('ready\n')
  assert.match(run.stderr(), /EventBus default \(jetstream\)/)
  assert.match(run.stderr(), /Sensor s is skipped/)
})
