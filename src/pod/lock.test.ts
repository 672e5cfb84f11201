import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry, EventSource } from '../manifest/manifest.ts'
import type { Election } from '../runtime/holding.ts'
import type { PodEnvironment } from './environment.ts'
import { lockFor } from './lock.ts'

const election = { suspicions: [], close() {} } as unknown as Election
const bus = { electionFor: () => election }

const environment = (
  entries: Pick<Entry, 'type' | 'refused'>[],
  more: Partial<PodEnvironment> = {},
): PodEnvironment => ({
  source: { name: 'es', namespace: 'ns', entries } as EventSource,
  bus: { kind: 'jetstreamExotic' } as PodEnvironment['bus'],
  podName: 'es-0',
  byKubernetes: false,
  timing: undefined,
  localZone: undefined,
  inKubernetes: false,
  findings: [],
  ...more,
})

test("the bus's own lock, with the timing that the environment gives", async () => {
  assert.equal(await lockFor(environment([{ type: 'calendar' }]), bus), election)
  const timing = { leaseMs: 5000, renewDeadlineMs: 2000, retryMs: 1000 }
  assert.deepEqual((await lockFor(environment([{ type: 'calendar' }], { timing }), bus)).timing, timing)
})

test('a Kubernetes Lease is refused by name, unless nobody needs a lock', async () => {
  const byKubernetes = true
  await assert.rejects(lockFor(environment([{ type: 'webhook' }, { type: 'calendar' }], { byKubernetes }), bus), {
    code: 'SPEC_INVALID',
    message: /Kubernetes Lease.*not in this version/,
  })
  assert.equal(await lockFor(environment([{ type: 'webhook' }], { byKubernetes }), bus), election)
  const refused = [{ type: 'webhook' }, { type: 'calendar', refused: 'it cannot work' }]
  assert.equal(await lockFor(environment(refused, { byKubernetes }), bus), election)
})
