import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SourceDefinition } from '../source.ts'
import { loadSource } from '../sources/index.ts'
import { fingerprintOf, positionFor } from './fingerprint.ts'

const definition = (identity?: (spec: any) => unknown) => ({ identity }) as unknown as SourceDefinition

test('a type without an identity has an empty fingerprint', () => {
  assert.equal(fingerprintOf(definition(), { a: 1 }), '')
})

test('the fingerprint does not depend on the order of members or on absent ones', () => {
  const of = (spec: unknown) =>
    fingerprintOf(
      definition((it) => it),
      spec,
    )
  assert.equal(of({ a: 1, b: [2, { c: 3, d: undefined }] }), of({ b: [2, { c: 3 }], a: 1 }))
  assert.notEqual(of({ a: 1 }), of({ a: 2 }))
})

test('a position that somebody else has written is a fresh start', async () => {
  for (const type of ['kafka', 'amqp', 'pulsar', 'generic', 'file', 'hdfs']) {
    const position = (await loadSource(type))!.position
    for (const p of [7, 'x', [], [{}], { offsets: 1, base: 'x', next: 'x', name: 7 }, { a: -1 }])
      assert.equal(positionFor('', { f: '', p }, position), null, `${type} ${JSON.stringify(p)}`)
  }
  const kafka = { cluster: 'c', topic: 't', resets: 0, offsets: { 0: 7 } }
  assert.deepEqual(positionFor('', { f: '', p: kafka }, (await loadSource('kafka'))!.position), kafka)
})

test('credentials of a URL do not count; of a URL that has none it is as it always was', () => {
  const of = (url: string) =>
    fingerprintOf(
      definition(({ url }) => ({ url })),
      { url },
    )
  assert.equal(of('https://a:b@h/x?token=1'), of('https://c:d@h/x?token=2'))
  assert.notEqual(of('https://a:b@h/x'), of('https://a:b@i/x'))
  assert.equal(of('https://h/x?y=1'), '2f244e68')
})

test('a position in another origin is a fresh start', () => {
  assert.deepEqual(positionFor('aa', { f: 'aa', p: { last: 1 } }), { last: 1 })
  assert.equal(positionFor('bb', { f: 'aa', p: { last: 1 } }), null)
  assert.equal(positionFor('', null), null)
  assert.equal(positionFor('', undefined), null)
  assert.equal(positionFor('', 'garbage'), null)
})
