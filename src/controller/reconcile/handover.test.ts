/** When the servers of a bus may be touched: not under Pods of Argo Events that ours are about to follow. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '../../kube/resources.ts'
import type { EventBus } from '../../manifest/manifest.ts'
import { servedByTheirs, waitsForTheirs } from './handover.ts'

const probe = { httpGet: { path: '/readyz', port: 7777 } }
const podOf = (whose: 'ours' | 'theirs') => ({
  containers: [whose === 'ours' ? { name: 'main', readinessProbe: probe } : { name: 'main' }],
})

interface Given {
  spec?: object
  /** What the Deployment wants; left out: there is none. */
  deployed?: 'ours' | 'theirs'
  complete?: boolean
  stuck?: boolean
  pods?: ('ours' | 'theirs')[]
}

async function served(...given: Given[]): Promise<string[]> {
  const name = (i: number) => `es-${i}`
  const sources = given.map(({ spec = { calendar: { e: { interval: '1s' } } } }, i): KubeObject => {
    const metadata = { name: name(i), namespace: 'shop', uid: name(i) }
    return { apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource', metadata, spec }
  })
  const deployments = new Map(
    given.flatMap(({ deployed, complete = false, stuck = false }, i) => {
      if (deployed === undefined) return []
      const conditions = [{ type: 'Progressing', status: stuck ? 'False' : 'True' }]
      const figures = { replicas: 1, updatedReplicas: complete ? 1 : 0, readyReplicas: 1 }
      const spec = { replicas: 1, template: { spec: podOf(deployed) } }
      return [
        [
          name(i),
          {
            metadata: { name: name(i), generation: 1 },
            spec,
            status: { observedGeneration: 1, conditions, ...figures },
          },
        ],
      ]
    }),
  )
  const items = given.flatMap(({ pods = [] }, i) =>
    pods.map((whose) => ({ metadata: { labels: { 'eventsource-name': name(i) } }, spec: podOf(whose) })),
  )
  const cluster = {
    eventSources: { values: () => sources.values() },
    deployments: { indexed: (uid: string) => (deployments.has(uid) ? [deployments.get(uid)] : []) },
    client: { list: async () => ({ items }) },
  }
  return await servedByTheirs(cluster as never, { namespace: 'shop', name: 'default' } as EventBus)
}

test('before the Deployment is ours, and while the roll-out still has Pods of theirs', async () => {
  assert.deepEqual(await served({ deployed: 'theirs', complete: true, pods: ['theirs'] }), ['es-0'])
  assert.deepEqual(await served({ deployed: 'ours', pods: ['ours', 'theirs'] }), ['es-0'])
  const two = await served({ deployed: 'ours', complete: true, pods: ['ours'] }, { deployed: 'ours', pods: ['theirs'] })
  assert.deepEqual(two, ['es-1'])
  assert.match(waitsForTheirs(two)[0]!.message!, /until the Pods of Argo Events are gone that serve es-1/)
})

test('not for ours alone, what is on another bus, what is left alone, and a roll-out that stands still', async () => {
  assert.deepEqual(await served({}), [])
  assert.deepEqual(await served({ deployed: 'ours', complete: true, pods: ['ours'] }), [])
  assert.deepEqual(await served({ deployed: 'ours', pods: ['ours', 'ours'] }), [], 'a roll-out from ours to ours')
  const theirs: Given = { deployed: 'theirs', complete: true, pods: ['theirs'] }
  assert.deepEqual(
    await served({ ...theirs, spec: { eventBusName: 'other', calendar: { e: { interval: '1s' } } } }),
    [],
  )
  assert.deepEqual(await served({ ...theirs, spec: { gerrit: { e: {} } } }), [], 'a type that this version lacks')
  assert.deepEqual(await served({ ...theirs, spec: { calendar: { e: {} } } }), [], 'not valid')
  assert.deepEqual(await served({ deployed: 'ours', stuck: true, pods: ['theirs'] }), [])
  assert.deepEqual(waitsForTheirs([]), [])
})
