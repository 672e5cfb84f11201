import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { EventBus } from '../../manifest/manifest.ts'
import { planBus } from '../eventBus.ts'
import { claimTrouble, refusedIn } from '../reconcile/busTrouble.ts'
import { holdingIn } from '../serverHolds.ts'
import { settingsFrom } from '../settings.ts'
import { type Claim, type ClaimTemplate, disksOf } from './disks.ts'
import { presentIn } from './present.ts'
import { bytesOf, textOf } from './quantity.ts'
import { type Holding, lossOf } from './resize.ts'

type Plain = Record<string, any>
const GI = 1024 ** 3
const place = { file: '', line: 1, column: 1 }
const bus = (spec: Plain): EventBus => ({
  namespace: 'ns',
  name: 'default',
  labels: {},
  kind: 'jetstream',
  spec: { jetstream: { version: 'latest', ...spec } },
  place,
})
const template = (storage = '20Gi'): ClaimTemplate => ({
  metadata: { name: 'eventbus-default-js-vol' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
})
const claim = (asked: number, more: Partial<Claim> = {}): Claim => ({
  name: 'c',
  uid: 'u',
  bound: true,
  storageClass: 'fast',
  asked: asked * GI,
  has: asked * GI,
  ...more,
})

test('quantities are bytes, and bytes are quantities', () => {
  const bytes = { '20Gi': 20 * GI, '10G': 10e9, '1.5Ti': 1.5 * 1024 * GI, '1e9': 1e9, '7': 7, '1500m': 1, '2Ki': 2048 }
  for (const [text, value] of Object.entries(bytes)) assert.equal(bytesOf(text), value, text)
  for (const text of ['much', '', '-1Gi', '1 Gi', undefined]) assert.equal(bytesOf(text), null)
  assert.deepEqual([20 * GI, 1536 * 1024 ** 2, 10e9, 5].map(textOf), ['20Gi', '1536Mi', '9765625Ki', '5'])
})

suite('the number of servers', () => {
  const loss = (from: number, to: number, held: Holding[], persistent = true) =>
    lossOf({ from, to, persistent, server: (i) => `s${i}`, held })
  const holds = (copies: number, members = 3): Holding => ({ streams: [{ name: 'default', copies }], members })
  const nothing: Holding = { streams: [] }
  const rows: [why: string, found: string | null, expected: RegExp | null][] = [
    ['more of a cluster', loss(3, 5, [holds(3), holds(3), holds(3)]), null],
    [
      'a lone one with events',
      loss(1, 3, [{ streams: [{ name: 'a', copies: 1 }] }]),
      /lone nats-server that joins .* s0 holds the stream "a"/,
    ],
    ['a lone one without', loss(1, 3, [nothing]), null],
    ['a lone one that is silent', loss(1, 3, ['gone']), /^what s0 holds is not known: gone$/],
    [
      'one that goes holds something',
      loss(5, 3, [nothing, nothing, nothing, nothing, holds(3)]),
      /^s4 would go and still holds/,
    ],
    [
      'one that goes is silent',
      loss(5, 3, [nothing, nothing, nothing, 'no answer', nothing]),
      /s3 holds is not known: no answer/,
    ],
    [
      'those that go are counted',
      loss(5, 3, [holds(3, 5), nothing, nothing, nothing, nothing]),
      /still counts 5 servers/,
    ],
    ['those that go are not', loss(5, 3, [holds(3, 3), nothing, nothing, nothing, nothing]), null],
    ['several copies on one', loss(3, 1, [holds(3), nothing, nothing]), /opens no stream of several copies/],
    ['one copy on one', loss(3, 1, [holds(1), nothing, nothing]), null],
    ['one copy, no disk', loss(3, 1, [holds(1), nothing, nothing], false), /s0 has no disk and starts anew/],
  ]
  for (const [why, found, expected] of rows) {
    test(why, () => (expected === null ? assert.equal(found, null) : assert.match(found!, expected)))
  }

  test('what a server says of itself', () => {
    const detail = { stream_detail: [{ name: 'default', config: { num_replicas: 3 } }] }
    const jsz = { streams: 1, meta_cluster: { cluster_size: 5 }, account_details: [detail] }
    assert.deepEqual(holdingIn(jsz), { streams: [{ name: 'default', copies: 3 }], members: 5 })
    assert.deepEqual(holdingIn({ disabled: true, streams: 0 }), { streams: [], removed: true })
    // Streams that it counts and does not name are not nothing.
    assert.equal(holdingIn({ streams: 2 }), 'it says that it has 2 streams and names 0')
  })

  test('what it was scaled to by hand is not what was configured', () => {
    const live = (annotations: Record<string, string>) =>
      presentIn({
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'n', annotations },
        spec: { replicas: 1 },
      })
    assert.equal(live({ 'vedette.dev/servers': '3' }).replicas, 3)
    assert.equal(live({}).replicas, 1)
  })
})

suite('disks', () => {
  const refused = (persistence: Plain | undefined, claims: Claim[] = [claim(20)]) =>
    disksOf(persistence, [template()], claims).refused.join('; ')
  test('grow when more is asked for, and only those that are bound', () => {
    const disks = disksOf({ volumeSize: '40Gi' }, [template()], [claim(20), claim(40), claim(20, { bound: false })])
    assert.equal(disks.grow!.size, '40Gi')
    assert.equal(disks.grow!.claims.length, 1)
    assert.equal(disks.bytes, 20 * GI)
  })
  test('a server stores what the smallest has, and no more than was asked for', () => {
    const bytes = (volumeSize: string, ...claims: Claim[]) => disksOf({ volumeSize }, [template()], claims).bytes! / GI
    assert.equal(bytes('40Gi', claim(40), claim(40, { has: 20 * GI })), 20)
    assert.equal(bytes('20Gi', claim(20, { has: 100 * GI })), 20)
    assert.equal(bytes('20Gi'), 20)
  })
  test('that never were are made anew as they are asked for', () => {
    const pending = [claim(20, { bound: false, has: null })]
    const remake = (persistence: Plain, claims: Claim[] | undefined = pending) =>
      disksOf(persistence, [template()], claims).remake
    assert.equal(remake({ storageClassName: 'slow' }), true)
    assert.equal(remake({ volumeSize: '10Gi' }), true)
    assert.equal(remake({ volumeSize: '20Gi', accessMode: 'ReadWriteOnce' }), false)
    assert.equal(remake({}), false)
    assert.equal(remake({ storageClassName: 'slow' }, [...pending, claim(20)]), false)
  })
  test('what they cannot be is refused, each with its value; what stands as it is is not', () => {
    assert.equal(refused({ volumeSize: '20Gi', accessMode: 'ReadWriteOnce', storageClassName: 'fast' }), '')
    assert.equal(refused(undefined), '')
    assert.match(refused({ volumeSize: '10Gi' }), /volumeSize 10Gi: disks do not shrink; write 20Gi/)
    assert.match(refused({ volumeSize: '20Gi' }, [claim(40)]), /write 40Gi/)
    assert.match(refused({ storageClassName: 'slow' }), /storageClassName slow: the disks are of fast/)
    assert.match(refused({ accessMode: 'ReadWriteMany' }), /accessMode ReadWriteMany: the disks have ReadWriteOnce/)
    assert.match(disksOf({}, [], []).refused[0]!, /^persistence: the servers run without disks/)
    assert.equal(
      disksOf({ storageClassName: 'slow' }, [template()], undefined).refused.join(),
      'persistence.storageClassName slow: the disks are of the default one and stay so: make another EventBus with it, see docs/eventbus.md#disks',
    )
  })
})

suite('what is made of a bus that runs', () => {
  const settings = settingsFrom({})
  const present = (replicas: number, more: Plain = {}) => ({
    name: 'eventbus-default-js',
    replicas,
    templates: [template()],
    claims: [],
    ...more,
  })
  const made = (spec: Plain, of: Plain) => {
    const { objects, conditions } = planBus({ bus: bus(spec), settings, present: of as never })
    const find = (kind: string) => objects.find((one) => one.kind === kind) as Plain | undefined
    return {
      conf: find('ConfigMap')!.data['nats-js'] as string,
      set: find('StatefulSet')!.spec as Plain,
      find,
      conditions,
    }
  }
  test('while nobody was asked the number stays, everywhere', () => {
    const { conf, set, find, conditions } = made({ replicas: 1 }, present(3))
    assert.match(conf, /cluster \{/)
    assert.equal(set.replicas, 3)
    assert.notEqual(find('PodDisruptionBudget'), undefined)
    assert.equal(
      conditions.some(({ type }) => type === 'ChangeRefused'),
      false,
    )
  })
  test('a refused number changes nothing of StatefulSet, configuration and budget', () => {
    const held = ['silent', 'silent', 'silent']
    const as = (spec: Plain) => planBus({ bus: bus(spec), settings, present: present(3, { held }) as never }).objects
    assert.deepEqual(as({ replicas: 1 }), as({ replicas: 3 }))
  })
  test('numbers of a cluster share a template; a lone server has another, and so starts anew to become the other', () => {
    const pods = (replicas: number) => made({ replicas }, present(replicas)).set.template
    assert.deepEqual(pods(3), pods(5))
    assert.notDeepEqual(pods(1), pods(3))
  })
  test('templates of claims are sent as they stand', () => {
    const { set } = made({ persistence: { volumeSize: '40Gi', storageClassName: 'other' } }, present(3))
    assert.deepEqual(set.volumeClaimTemplates, [template()])
  })
  test('servers start anew when their disks have grown, and not before', () => {
    const at = (has: number) =>
      made({ persistence: { volumeSize: '40Gi' } }, present(3, { claims: [claim(40, { has: has * GI })] })).set.template
        .metadata.annotations?.['vedette.dev/file-store']
    assert.equal(at(20), undefined)
    assert.equal(at(40), `${Math.floor(40 * GI * 0.95)}`)
  })
})

test('events tell who refuses servers and why disks do not come, as long as they are the last word', () => {
  const event = (reason: string, lastTimestamp: string) =>
    ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      reason,
      lastTimestamp,
      message: 'exceeded quota',
    }) as never
  const [early, late] = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:05Z']
  assert.equal(
    refusedIn([event('SuccessfulCreate', early), event('FailedCreate', late)])!.message,
    'servers are refused: exceeded quota',
  )
  assert.equal(refusedIn([event('FailedCreate', early), event('SuccessfulCreate', late)]), null)
  const pending = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'c' }, spec: {} } as never
  assert.match(
    claimTrouble(pending, [event('FailedBinding', early)])!.message,
    /give the cluster a default StorageClass/,
  )
  assert.equal(claimTrouble(pending, [event('FailedBinding', early), event('WaitForFirstConsumer', late)]), null)
})
