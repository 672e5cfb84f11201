import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KubeObject } from '../kube/resources.ts'
import { isPodReady, podTrouble } from './podTrouble.ts'

const NOW = Date.parse('2026-01-01T00:01:00Z')
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString().replace('.000', '')

const pod = (status: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'orders-x', creationTimestamp: ago(5), ...metadata },
  status,
})
const main = (state: object, more: object = {}) => ({
  phase: 'Running',
  containerStatuses: [{ name: 'main', ready: false, started: true, restartCount: 0, state, ...more }],
})
const said = (...pods: KubeObject[]) => {
  const found = podTrouble(pods, NOW)
  return found === null ? null : `${found.reason} | ${found.message}`
}
const ready = pod({ conditions: [{ type: 'Ready', status: 'True' }] })

suite('what keeps a Pod from getting ready', () => {
  const rows: [name: string, status: object, expected: string | null, metadata?: object][] = [
    ['on its way', main({ waiting: { reason: 'ContainerCreating' } }), null],
    ['just started', main({ running: { startedAt: ago(3) } }), null],
    [
      'no such image',
      main({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "nowhere/x:1"' } }),
      'ImagePullBackOff | Pod "orders-x": container "main": ImagePullBackOff: Back-off pulling image "nowhere/x:1"',
    ],
    [
      'crashes',
      main(
        { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } },
        { restartCount: 3, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
      ),
      'CrashLoopBackOff | Pod "orders-x": container "main": CrashLoopBackOff: it ended with exit code 137 (OOMKilled), started anew 3 times',
    ],
    [
      'has crashed, runs again',
      main(
        { running: { startedAt: ago(1) } },
        { restartCount: 1, lastState: { terminated: { exitCode: 1, reason: 'Error', message: 'no  bus\n' } } },
      ),
      'Error | Pod "orders-x": container "main": it ended with exit code 1 (Error), started anew 1 time: no bus',
    ],
    [
      'has crashed',
      main({ terminated: { exitCode: 2, reason: 'Error' } }),
      'Error | Pod "orders-x": container "main": it ended with exit code 2 (Error)',
    ],
    [
      'a Secret of its environment is missing',
      main({ waiting: { reason: 'CreateContainerConfigError', message: 'secret "token" not found' } }),
      'CreateContainerConfigError | Pod "orders-x": container "main": CreateContainerConfigError: secret "token" not found',
    ],
    [
      'no room',
      {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes: Insufficient cpu.' },
        ],
      },
      'Unschedulable | Pod "orders-x": no node takes it: 0/3 nodes: Insufficient cpu.',
    ],
    [
      'refused by the kubelet',
      { phase: 'Failed', reason: 'SysctlForbidden', message: 'forbidden sysctl: "x"' },
      'SysctlForbidden | Pod "orders-x": SysctlForbidden: forbidden sysctl: "x"',
    ],
    [
      'its readiness probe fails',
      main({ running: { startedAt: ago(20) } }),
      `NotReady | Pod "orders-x": container "main" runs since ${ago(20)} and its readiness probe does not succeed`,
    ],
    [
      'its startup probe fails',
      main({ running: { startedAt: ago(20) } }, { started: false }),
      `NotStarted | Pod "orders-x": container "main" runs since ${ago(20)} and its startup probe does not succeed`,
    ],
    [
      'a volume does not come',
      { ...main({ waiting: { reason: 'ContainerCreating' } }), phase: 'Pending' },
      `NotStarted | Pod "orders-x": was made at ${ago(30)} and no container of it runs yet: see its events`,
      { creationTimestamp: ago(30) },
    ],
    ['ends in its grace', main({ running: { startedAt: ago(99) } }), null, { deletionTimestamp: ago(-20) }],
    [
      'its node is lost',
      main({ running: { startedAt: ago(99) } }),
      `Terminating | Pod "orders-x": should have ended at ${ago(30)}: is its node alive?`,
      { deletionTimestamp: ago(30) },
    ],
    [
      'an init container cannot start',
      { initContainerStatuses: [{ name: 'init', state: { waiting: { reason: 'InvalidImageName' } } }] },
      'InvalidImageName | Pod "orders-x": container "init": InvalidImageName',
    ],
    ['nothing is known of it yet', {}, null],
  ]
  for (const [name, status, expected, metadata] of rows) {
    test(name, () => assert.equal(said(pod(status, metadata)), expected))
  }

  test('who is ready has no trouble, whatever was', () => {
    const conditions = [{ type: 'Ready', status: 'True' }]
    const restarted = main({ running: { startedAt: ago(50) } }, { lastState: { terminated: { exitCode: 1 } } })
    assert.equal(said(ready, pod({ ...restarted, conditions })), null)
    assert.ok(isPodReady(ready))
    assert.ok(!isPodReady({ ...ready, metadata: { ...ready.metadata, deletionTimestamp: ago(-20) } }))
  })

  test('the gravest is said first, and what a container writes does not fill the status', () => {
    const slow = pod(main({ running: { startedAt: ago(20) } }), { name: 'a' })
    const full = pod(main({ waiting: { reason: 'ErrImagePull', message: `${'x'.repeat(5000)} not found` } }))
    const text = said(slow, full)!
    assert.match(text, /^ErrImagePull \| Pod "orders-x": container "main": ErrImagePull: …x+ not found$/)
    assert.ok(text.length < 700)
  })
})
