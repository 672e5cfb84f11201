import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { fakeClock } from '../../test/fake-clock.ts'
import { fail } from '../core/errors.ts'
import { silentLogger } from '../core/log.ts'
import type { KubeObject } from '../kube/resources.ts'
import { condition } from './conditions.ts'
import { createRecorder, newsIn } from './events.ts'

type Plain = Record<string, any>

const orders: KubeObject = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'EventSource',
  metadata: { name: 'orders', namespace: 'shop', uid: 'u1' },
}
const late = { type: 'Warning', reason: 'Late', message: 'too late' } as const

function start(apply?: (event: KubeObject) => void) {
  const clock = fakeClock()
  const events = new Map<string, Plain>()
  let writes = 0
  const client = {
    apply: async (_: unknown, event: any) => {
      apply?.(event)
      writes++
      events.set(event.metadata.name, event)
      return event
    },
  }
  const recorder = createRecorder({ client, clock, log: silentLogger })
  return { clock, recorder, events, writes: () => writes }
}

suite('Events', () => {
  test('the same within ten minutes counts up, later it is another', async () => {
    const { clock, recorder, events } = start()
    for (let i = 0; i < 3; i++) {
      recorder.record(orders, { ...late, message: `too late ${i}` })
      await recorder.settled()
      await clock.advance(500_000)
    }
    recorder.record(orders, { ...late, reason: 'Other' })
    await clock.advance(601_000)
    recorder.record(orders, late)
    await recorder.settled()
    const told = [...events.values()].map(({ reason, count, message }) => `${reason} ${count} ${message}`)
    assert.deepEqual(told, ['Late 3 too late 2', 'Other 1 too late', 'Late 1 too late'])
  })

  test('an object that tells without end is cut short, others are not', async () => {
    const { clock, recorder, writes } = start()
    for (let i = 0; i < 100; i++) recorder.record(orders, { ...late, reason: `R${i}` })
    await recorder.settled()
    assert.equal(writes(), 25)
    recorder.record({ ...orders, metadata: { ...orders.metadata, uid: 'u2' } }, late)
    await recorder.settled()
    assert.equal(writes(), 26)
    await clock.advance(60_000)
    recorder.record(orders, { ...late, reason: 'after a minute' })
    await recorder.settled()
    assert.equal(writes(), 27)
  })

  test('a namespace that is being deleted takes none: it is told of the namespace', async () => {
    const { recorder, events } = start((event) => {
      if (event.metadata.namespace === 'shop')
        throw fail('KUBERNETES_FORBIDDEN', 'it is being terminated', { namespaceEnds: true })
    })
    recorder.record(orders, late)
    await recorder.settled()
    const [event] = [...events.values()]
    assert.equal(event!.metadata.namespace, 'default')
    assert.deepEqual(event!.involvedObject, { apiVersion: 'v1', kind: 'Namespace', name: 'shop' })
    assert.equal(event!.message, 'EventSource "orders": too late')
  })

  test('a view that is behind does not make it tell twice', async () => {
    const { recorder, events } = start()
    const status = { conditions: [condition('Deployed', 'False', 'EventBusNotFound', 'no bus')] }
    recorder.tell(orders, status)
    recorder.tell(orders, status)
    await recorder.settled()
    assert.deepEqual(
      [...events.values()].map(({ reason, count }) => [reason, count]),
      [['EventBusNotFound', 1]],
    )
  })
})

test('news are what is wrong now and was not, what is well again, and who leads', () => {
  const waits = condition('Available', 'Unknown', 'Progressing', '0 of 1')
  const broken = condition('Available', 'False', 'ImagePullBackOff', 'no image')
  const well = condition('Available', 'True')
  const said = (before: object, now: object) =>
    newsIn(before, now).map(({ reason, message }) => `${reason}: ${message}`)
  assert.deepEqual(said({}, { conditions: [waits, condition('Deployed', 'True')] }), [])
  assert.deepEqual(said({ conditions: [waits] }, { conditions: [broken] }), ['ImagePullBackOff: no image'])
  assert.deepEqual(said({ conditions: [broken] }, { conditions: [broken] }), [])
  assert.deepEqual(said({ conditions: [broken] }, { conditions: [well] }), ['Available: all replicas are ready'])
  assert.deepEqual(said({}, { conditions: [well] }), [])
  const risk = condition('AtRisk', 'True', 'AtRisk', 'one server')
  assert.deepEqual(said({}, { conditions: [risk] }), ['AtRisk: one server'])
  assert.deepEqual(said({ leader: 'a' }, { leader: 'b', term: 4 }), ['LeadChanged: "b" leads after "a" (term 4)'])
  assert.deepEqual(said({ leader: 'a' }, { leader: 'a', term: 5 }), [])
  assert.deepEqual(said({ leader: 'a' }, {}), [])
})
