import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KubeObject } from '../kube/resources.ts'
import { strangerIn } from './stranger.ts'

const NOW = Date.parse('2026-12-01T10:00:00Z')
const pod = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } })
const pods = [pod('orders-a'), pod('argo-x')]
const lease = (spec: object, written?: string): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'eventsource-orders', ...(written === undefined ? {} : { managedFields: [{ time: written }] }) },
  spec,
})

suite('a Lease that none of the Pods holds', () => {
  test('one of them, of either version, or nobody: nothing is said', () => {
    for (const holderIdentity of ['orders-a', 'argo-x', '', undefined])
      assert.equal(strangerIn(lease({ holderIdentity, leaseDurationSeconds: 5 }), pods, NOW), undefined)
    assert.equal(strangerIn(lease({ holderIdentity: 'mallory' }), [], NOW), undefined)
  })

  test('a stranger: who, and until when, by the clock of the API server where it says so', () => {
    const spec = {
      holderIdentity: 'mallory',
      acquireTime: '2026-12-01T09:00:00.000000Z',
      renewTime: '9999-12-31T23:59:59.999999Z',
      leaseDurationSeconds: 2 ** 31 - 1,
    }
    assert.equal(
      strangerIn(lease(spec, '2026-12-01T09:59:00Z'), pods, NOW),
      'Lease "eventsource-orders": holderIdentity "mallory" is none of the EventSource\'s Pods (acquireTime 2026-12-01T09:00:00.000000Z, ' +
        'leaseDurationSeconds 2147483647). What only one replica may serve is not served until it is taken from it, at 2026-12-01T10:09:00Z, 600 s after its last renewal: ' +
        'delete the Lease to end it now, and look who may write Leases',
    )
  })

  test('one who renews it, and times that cannot be: the words stay the same', () => {
    for (const [spec, written] of [
      [{ leaseDurationSeconds: 20 }, '2026-12-01T09:59:55Z'],
      [{ leaseDurationSeconds: 20, renewTime: '1970-01-01T00:00:00.000000Z' }, undefined],
      [{ leaseDurationSeconds: 20 }, undefined],
    ] as const) {
      const said = strangerIn(lease({ holderIdentity: 'mallory', ...spec }, written), pods, NOW)!
      assert.match(said, /not served until it is taken from it, 20 s after its last renewal: /)
    }
    for (const leaseDurationSeconds of [undefined, 0, -5]) {
      const said = strangerIn(lease({ holderIdentity: 'm'.repeat(100_000), leaseDurationSeconds }), pods, NOW)!
      assert.match(said, /taken from it, the usual time after its last renewal: /)
      assert.ok(said.length < 700)
    }
  })
})
