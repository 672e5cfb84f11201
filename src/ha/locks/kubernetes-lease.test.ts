import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fakeClock } from '../../../test/fake-clock.ts'
import { type ErrorCode, fail } from '../../core/errors.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { LeaseRecord } from '../lock.ts'
import { kubernetesLock, leaseName, microTime } from './kubernetes-lease.ts'

const record = (holder: string, more: Partial<LeaseRecord> = {}): LeaseRecord => ({
  ...{ holder, durationMs: 5000, term: 3, released: false },
  ...more,
})

/** One Lease as the API server keeps it; contract tests have the real one. */
function rig() {
  const clock = fakeClock()
  let stored: any = null
  let version = 0
  let failure: ErrorCode | null = null
  const calls: string[] = []
  const call = async (verb: string, work: () => any): Promise<any> => {
    calls.push(verb)
    if (failure !== null) throw fail(failure, 'Add to a Role …')
    return structuredClone(work())
  }
  const keep = (object: KubeObject) => {
    stored = structuredClone({
      ...object,
      metadata: { ...object.metadata, uid: 'u', resourceVersion: String(++version) },
    })
    return stored
  }
  const peer = { host: '10.0.0.7', port: 7787, key: 'k' }
  const lock = kubernetesLock({
    client: {
      get: () => call('get', () => stored),
      create: (_, object) => call('create', () => keep(object)),
      update: (_, object) => call('update', () => keep(object)),
    },
    ...{ namespace: 'ns', name: leaseName('orders'), clock, timeoutMs: 2000, peer: () => peer },
  })
  return {
    clock,
    lock,
    calls,
    peer,
    get stored() {
      return stored
    },
    /** As somebody else would write it. */
    change(spec: object, metadata: object = {}) {
      keep({ ...stored, metadata: { ...stored.metadata, ...metadata }, spec: { ...stored.spec, ...spec } })
    },
    failWith(code: ErrorCode | null) {
      failure = code
    },
  }
}

suite('Lease lock', () => {
  test('a Lease with as many transitions as its field can hold is taken, with as many', async () => {
    const r = rig()
    await r.lock.write(record('a'), null)
    r.change({ leaseTransitions: 2 ** 31 - 1, holderIdentity: '' })
    const free = await r.lock.read()
    assert.equal((await r.lock.write(record('b'), free!.revision))?.record.holder, 'b')
    assert.equal(r.stored.spec.leaseTransitions, 2 ** 31 - 1)
  })

  test("the fields are client-go's", async () => {
    const r = rig()
    const first = (await r.lock.write(record('a'), null))!
    assert.deepEqual(r.stored.spec, {
      holderIdentity: 'a',
      leaseDurationSeconds: 5,
      acquireTime: '2026-11-22T15:18:14.000000Z',
      renewTime: '2026-11-22T15:18:14.000000Z',
      leaseTransitions: 0,
    })
    await r.clock.advance(1000.25)
    const second = (await r.lock.write(record('a', { durationMs: 1500 }), first.revision))!
    assert.equal(r.stored.spec.leaseDurationSeconds, 2, 'whole seconds, none cut off')
    assert.equal(r.stored.spec.acquireTime, '2026-11-22T15:18:14.000000Z')
    assert.equal(r.stored.spec.renewTime, '2026-11-22T15:18:15.000250Z')
    assert.equal(r.stored.spec.leaseTransitions, 0)
    const other = (await r.lock.write(record('b'), second.revision))!
    assert.equal(r.stored.spec.leaseTransitions, 1)
    await r.lock.write(record('b', { released: true }), other.revision)
    const { holderIdentity, leaseDurationSeconds, leaseTransitions } = r.stored.spec
    assert.deepEqual([holderIdentity, leaseDurationSeconds, leaseTransitions], ['', 1, 1])
    assert.deepEqual(r.calls, ['create', 'update', 'update', 'update'])
  })

  test('a renewal within the same microsecond is a change all the same', async () => {
    const r = rig()
    const first = (await r.lock.write(record('a'), null))!
    const { renewTime } = r.stored.spec
    await r.lock.write(record('a'), first.revision)
    assert.notEqual(r.stored.spec.renewTime, renewTime)
  })

  test('what others keep in it stays', async () => {
    const r = rig()
    await r.lock.write(record('a'), null)
    r.change({ strategy: 'OldestEmulationVersion' }, { labels: { team: 'x' }, annotations: { note: 'y' } })
    const found = (await r.lock.read())!
    await r.lock.write(record('a'), found.revision)
    assert.equal(r.stored.spec.strategy, 'OldestEmulationVersion')
    assert.deepEqual(r.stored.metadata.labels, { team: 'x' })
    assert.deepEqual(Object.keys(r.stored.metadata.annotations).sort(), ['note', 'vedette.dev/holder'])
  })

  test('the annotation counts only while nobody else has written the Lease; its term stays a floor', async () => {
    const r = rig()
    await r.lock.write(record('a', { term: 7, successor: 'b' }), null)
    assert.deepEqual((await r.lock.read())?.peer, r.peer)
    assert.deepEqual((await r.lock.read())?.record, record('a', { term: 7, successor: 'b' }))
    // client-go carries annotations on that are not its own.
    for (const spec of [
      { holderIdentity: 'argo-0', renewTime: '2026-11-22T15:18:20.000000Z', leaseDurationSeconds: 9 },
      { holderIdentity: 'a', renewTime: '2026-11-22T15:18:21.000000Z', leaseDurationSeconds: 9 },
    ]) {
      r.change(spec)
      const seen = (await r.lock.read())!
      assert.deepEqual([seen.peer, seen.foreign], [null, true])
      assert.deepEqual(seen.record, record(spec.holderIdentity, { term: 7, durationMs: 9000 }))
    }
    r.change({ holderIdentity: '', renewTime: '2026-11-22T15:18:22.000000Z', leaseDurationSeconds: 1 })
    const freed = (await r.lock.read())!
    assert.deepEqual([freed.record.released, freed.foreign], [true, false])
  })

  test('an annotation of somebody else is not believed, whatever is in it', async () => {
    const r = rig()
    await r.lock.write(record('a'), null)
    const { renewTime } = r.stored.spec
    const good = { holder: 'a', renewTime, durationMs: 5000, term: 3 }
    for (const note of [
      '',
      'null',
      '[]',
      '{',
      JSON.stringify({ ...good, durationMs: -1 }),
      JSON.stringify({ ...good, holder: 5 }),
      JSON.stringify({ ...good, term: 1e300 }),
      JSON.stringify({ ...good, term: -1, peer: { host: 'h', port: 99_999, key: 'k' } }),
      JSON.stringify({ ...good, peer: { host: 'h', port: 1 } }),
      JSON.stringify({ ...good, peer: { host: 'h', port: '1; x', key: 'k' } }),
    ]) {
      r.change({}, { annotations: { 'vedette.dev/holder': note } })
      const seen = (await r.lock.read())!
      assert.equal(seen.peer, null, note)
      assert.ok(Number.isSafeInteger(seen.record.term) && seen.record.term >= 0, note)
      assert.equal(seen.record.durationMs, 5000, note)
    }
  })

  test('a Lease that anybody wrote anything into is one that has run out at worst', async () => {
    const r = rig()
    await r.lock.write(record('a'), null)
    r.change({ holderIdentity: 'x', leaseDurationSeconds: undefined, renewTime: undefined })
    assert.deepEqual((await r.lock.read())?.record, record('x', { durationMs: 0 }))
  })

  test('says which Role is wanting, and whether a write may have happened', async () => {
    const r = rig()
    for (const [code, as] of [
      ['KUBERNETES_FORBIDDEN', 'LOCK_UNAVAILABLE'],
      ['KUBERNETES_UNAVAILABLE', 'LOCK_UNAVAILABLE'],
      ['KUBERNETES_CONFIG', 'LOCK_UNAVAILABLE'],
      ['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN'],
    ] as const) {
      r.failWith(code)
      await assert.rejects(r.lock.write(record('a'), null), { code: as, message: /Role/ })
      await assert.rejects(r.lock.read(), { code: as })
    }
    r.failWith('KUBERNETES_CONFLICT')
    assert.equal(await r.lock.write(record('a'), null), null)
  })
})

test('times have microseconds', () => {
  assert.equal(microTime(Date.parse('2026-11-22T15:43:54.049Z') + 0.067), '2026-11-22T15:43:54.049067Z')
  assert.equal(microTime(0.9996), '1970-01-01T00:00:00.001000Z')
  assert.equal(microTime(999.9999), '1970-01-01T00:00:01.000000Z')
})
