import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Election } from '../buses/index.ts'
import { systemClock } from '../core/clock.ts'
import { silentLogger } from '../core/log.ts'
import type { Entry, EventSource } from '../manifest/manifest.ts'
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
  podIp: undefined,
  byKubernetes: false,
  timing: undefined,
  localZone: undefined,
  listeners: { limits: {}, trustedProxies: [], forwardedHeader: 'x-forwarded-for' },
  inKubernetes: false,
  findings: [],
  ...more,
})

const surroundings = { bind: '127.0.0.1', taken: new Set<number>(), clock: systemClock, log: silentLogger }
const choose = (of: PodEnvironment) => lockFor(of, bus, surroundings)

test("the bus's own lock, with the timing that the environment gives", async () => {
  assert.equal(await choose(environment([{ type: 'calendar' }])), election)
  const timing = { leaseMs: 5000, renewDeadlineMs: 2000, retryMs: 1000 }
  assert.deepEqual((await choose(environment([{ type: 'calendar' }], { timing }))).timing, timing)
})

test("a Kubernetes Lease where it is asked for, with Argo Events' timing, unless nobody needs a lock", async () => {
  const byKubernetes = true
  const lease = await choose(environment([{ type: 'webhook' }, { type: 'calendar' }], { byKubernetes }))
  assert.notEqual(lease, election)
  assert.deepEqual(lease.timing, { leaseMs: 5000, renewDeadlineMs: 2000, retryMs: 1000 })
  lease.close()
  assert.equal(await choose(environment([{ type: 'webhook' }], { byKubernetes })), election)
  const refused = [{ type: 'webhook' }, { type: 'calendar', refused: 'it cannot work' }]
  assert.equal(await choose(environment(refused, { byKubernetes })), election)
})
