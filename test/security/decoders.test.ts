/** Whatever stands where replicas keep their records: it is read, or it is as if nothing stood there. Nothing throws, loops or names what could not be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame, frameReader } from '../../src/bus/embedded/frames.ts'
import { isOperation } from '../../src/bus/embedded/request.ts'
import { hasShape } from '../../src/bus/embedded/shape.ts'
import { asStored } from '../../src/bus/jetstream/message.ts'
import { decodeRecord } from '../../src/bus/jetstream/record.ts'
import { loadSnapshot } from '../../src/bus/jetstream/snapshots.ts'
import { isOurs } from '../../src/bus/kafka/fence.ts'
import { asStored as asKafkaStored } from '../../src/bus/kafka/message.ts'
import { storedValue } from '../../src/bus/kafka/values.ts'
import type { NatsKv } from '../../src/clients/nats-kv.ts'
import { VedetteError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/log.ts'
import { isTerm, nextTerm } from '../../src/core/term.ts'
import { leaseOf } from '../../src/ha/locks/jetstream-kv.ts'
import { kubernetesLock } from '../../src/ha/locks/kubernetes-lease.ts'
import { openFailoverLog } from '../../src/local/failoverLog.ts'
import { readRecords } from '../../src/runtime/registrar/records.ts'
import { fakeClock } from '../fake-clock.ts'
import { mutations } from '../fuzz.ts'

const seed = 20261130
const source = { namespace: 'ns', name: 'es' }
const json = (value: unknown) => JSON.stringify(value)
const numbers = [
  '0',
  '-1',
  '1.5',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551615',
  '1e308',
  '"7"',
  'null',
  '[]',
  '{}',
]
/** Each number in it, and each text, with another one in its place. */
const bent = (sample: string): string[] =>
  numbers.flatMap((other) =>
    [...sample.matchAll(/(?<=[:[,])(-?\d+|"[^"]*"|null)/g)].map(
      ({ index, 0: was }) => sample.slice(0, index) + other + sample.slice(index + was.length),
    ),
  )
const samplesOf = (...values: unknown[]) => values.map(json).flatMap((text) => [text, ...bent(text)])

const kvOf = (value: Uint8Array) => ({
  get: async () => ({ value, revision: 1 }),
  put: async () => 1,
  delete: async () => {},
})

test('terms: a number follows each, and none ends them', () => {
  for (const seen of [
    undefined,
    -1,
    0,
    1.5,
    Number.NaN,
    2 ** 53,
    2 ** 64,
    Number.POSITIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
  ]) {
    const next = nextTerm(seen, 3)
    assert.ok(isTerm(next) && next > 3, `${seen}`)
    assert.ok(isTerm(nextTerm(next)))
  }
})

test('term records on JetStream', () => {
  const beside = { slot: '7-abcdef01-a', parts: 2, sha256: 'f'.repeat(64) }
  const whole = { v: 1, term: 7, holder: 'r-0', nonce: 'abc', positions: { a: { f: '', p: 1 } }, since: 4 }
  const samples = samplesOf(whole, { ...whole, positions: {}, beside, since: null })
  for (const bytes of [...samples.map((text) => Buffer.from(text)), ...mutations(samples, { seed })]) {
    const record = decodeRecord(bytes, 9)
    if (record === null) continue
    assert.ok(isTerm(record.term) && (record.since ?? 0) < 9)
    assert.ok(typeof record.holder === 'string' && typeof record.nonce === 'string')
    assert.ok(!Array.isArray(record.positions) && Object.entries(record.positions).length < 100)
    if (record.beside !== undefined) assert.ok(record.beside.parts <= 8_192 && /^[\w-]+$/.test(record.beside.slot))
  }
  assert.notEqual(decodeRecord(Buffer.from(json(whole)), 9), null)
})

test('heads of snapshots', async () => {
  const samples = samplesOf({ term: 7, slot: '7a', parts: 2, sha256: 'f'.repeat(64) })
  for (const bytes of mutations(samples, { seed, runs: 1_000 })) {
    let asked = 0
    const kv = {
      async get(key: string) {
        asked++
        assert.ok(key.length <= 400, key)
        return { value: bytes, revision: 1 }
      },
    } as unknown as NatsKv
    assert.equal(await loadSnapshot(kv, source, 'e'), null)
    assert.ok(asked <= 3 * 8_193)
  }
})

test('events on JetStream and on Kafka', () => {
  for (const text of [...numbers, '', 'x', '\ud800', '%', '%ff']) {
    const stored = asStored({ seq: 1, timeMs: 0, subject: 'default.es.e', data: Buffer.from(text), header: () => text })
    assert.ok(stored!.term === undefined || isTerm(stored!.term))
    const headers = ['vedette-term', 'vedette-id', 'vedette-eventsource'].map((name): [Buffer, Buffer] => [
      Buffer.from(name),
      Buffer.from(text),
    ])
    const record = { offset: 1, timestamp: 0, key: Buffer.from(text), value: Buffer.from(text), headers }
    const kept = asKafkaStored(record as never, 0, 1)
    assert.ok(kept === null || kept.term === undefined || isTerm(kept.term))
  }
})

test('records of the state topic on Kafka', () => {
  const samples = samplesOf({ term: 7, holder: 'r-0', nonce: 'abc' }).flatMap((text) => [
    text,
    `\0${text}`,
    '\x012',
    `\x01${text}`,
  ])
  for (const value of mutations(samples, { seed })) {
    for (const key of ['term/ns/es', 'position/ns/es/e']) {
      if (!isOurs(key, value)) continue
      const kept = new Map([[key, { value, revision: 1, nonce: undefined }]])
      const found = key.startsWith('term') ? value : storedValue(kept, key)
      if (found !== null) JSON.parse(found.toString())
    }
  }
  assert.ok(!isOurs('term/ns/es', null) && !isOurs('position/ns/es/e', null) && isOurs('kv/x', null))
})

test('leases in the bucket, and on Kubernetes', async () => {
  const lease = { holder: 'r-0', durationMs: 1500, term: 7, released: false, successor: 'r-1' }
  for (const value of mutations(samplesOf(lease), { seed })) {
    const { record } = leaseOf({ value, revision: 3 })
    assert.ok(isTerm(record.term) && record.holder.length <= 512 && typeof record.released === 'boolean')
    assert.ok(!Number.isNaN(record.durationMs))
  }
  const note = {
    holder: 'p',
    renewTime: 't',
    durationMs: 5000,
    term: 7,
    successor: 'q',
    peer: { host: 'h', port: 80, key: 'k' },
  }
  for (const text of mutations(samplesOf(note), { seed })) {
    const object = {
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
      metadata: {
        name: 'l',
        namespace: 'ns',
        resourceVersion: '1',
        annotations: { 'vedette.dev/holder': text.toString() },
      },
      spec: { holderIdentity: 'p', renewTime: 't' },
    }
    const client = { get: async () => object } as never
    const found = await kubernetesLock({ client, namespace: 'ns', name: 'l', clock: fakeClock(), timeoutMs: 1 }).read()
    assert.ok(isTerm(found!.record.term) && found!.record.holder === 'p')
    const port = found!.peer?.port
    assert.ok(port === undefined || (Number.isInteger(port) && port > 0 && port < 65_536))
  }
})

test('records of hooks, and of failovers', async () => {
  const hooks = {
    salt: 's',
    passes: 3,
    wanted: 'w',
    failed: { error: 'e', retryMs: 5, attempt: 1 },
    hooks: { t: { id: '1', wanted: 'w', secret: 'x' } },
  }
  for (const value of mutations(samplesOf(hooks, { ...hooks, failed: null }), { seed })) {
    const { records } = await readRecords(kvOf(value), 'k')
    assert.ok(typeof records.salt === 'string' && records.salt !== '' && typeof records.wanted === 'string')
    assert.ok(isTerm(records.passes) && (records.failed?.retryMs ?? 0) <= 3_600_000)
    for (const { id, secret = '' } of Object.values(records.hooks))
      assert.ok(typeof id === 'string' && typeof secret === 'string')
  }
  for (const value of mutations(samplesOf([{ at: 1, from: 'a', to: 'b' }, null, 7]), { seed, runs: 300 })) {
    for (const one of (await openFailoverLog(kvOf(value), silentLogger)).all())
      assert.ok(one !== null && typeof one === 'object')
  }
})

test('frames of the embedded bus', () => {
  const samples = [
    encodeFrame([1, 'claim', { source, claim: { holder: 'r', nonce: 'n', floor: 1 } }]),
    encodeFrame([
      2,
      'writeLease',
      { name: 'x', record: { holder: 'r', durationMs: 1, term: 1, released: false }, expected: null },
    ]),
    encodeFrame([3, 'appendFenced', { fence: { source, term: 1, nonce: 'n' }, batch: [{ entry: 'e', position: 1 }] }]),
  ]
  for (const bytes of mutations(samples, { seed })) {
    try {
      frameReader((frame) => {
        const [, operation, input] = Array.isArray(frame) ? frame : []
        if (typeof operation === 'string' && isOperation(operation)) hasShape(operation, input)
      })(bytes)
    } catch (error) {
      assert.ok(error instanceof VedetteError, String(error))
    }
  }
})
