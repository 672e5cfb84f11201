/** A cluster with nodes in the state that Argo Events leaves: its install, its buses with their servers, and EventSources whose Pods run. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { rolledOut } from '../../../src/controller/migrate/work.ts'
import type { KubeClient } from '../../../src/kube/client.ts'
import { type KubeObject, resources } from '../../../src/kube/resources.ts'
import { until } from '../../contract/bus.ts'
import { vedetteImage } from '../../servers/kubernetes/images.ts'
import { type Kubernetes, startKubernetes } from '../../servers/kubernetes.ts'
import { asTheirController, type Golden, THEIR_IMAGE, theirCrds, theirInstall, theirSecrets } from '../argo-events.ts'
import { IMAGE } from '../exchange-rig.ts'
import { type Plain, resourceFor } from '../rig.ts'
import { theirImages } from './images.ts'
import { type BusMade, theirEventSource } from './objects.ts'

const HOME = 'argo-events'

export async function startTheirCluster(dir: string): Promise<Kubernetes> {
  const images = [await vedetteImage(dir, IMAGE), ...(await theirImages(dir))]
  const kubernetes = await startKubernetes({ nodes: 2, images })
  const put = async (objects: readonly KubeObject[]) => {
    for (const object of objects) await kubernetes.client.apply(resourceFor(object), object, { manager: 'kubectl' })
  }
  try {
    await put([...theirCrds, ...theirInstall({ namespace: HOME })])
    for (const resource of [resources.eventsources, resources.eventbus, resources.sensors])
      await until(`${resource.plural} are served`, () =>
        kubernetes.client.list(resource).then(
          () => true,
          () => false,
        ),
      )
    return kubernetes
  } catch (error) {
    await kubernetes.stop()
    throw error
  }
}

/** As its user applies it, and its controller makes its Secrets and says what it is. */
export async function makeBus(client: KubeClient, bus: BusMade): Promise<void> {
  const [object] = bus.input
  const { apiVersion, kind, metadata } = await client.apply(resources.eventbus, object!, { manager: 'user' })
  const { name, namespace } = metadata
  const status = {
    config: bus.config,
    conditions: [
      { type: 'Configured', status: 'True' },
      { type: 'Deployed', status: 'True' },
    ],
  }
  const place = { name, namespace: namespace! }
  await client.applyStatus(
    resources.eventbus,
    { apiVersion, kind, metadata: place, status },
    { manager: 'argo-events' },
  )
  if ((object!.spec as Plain).jetstream === undefined) return
  const ownerReferences = [{ apiVersion, kind, name, uid: metadata.uid!, controller: true }]
  for (const secret of theirSecrets(name, namespace!))
    await client.create(resources.secrets, { ...secret, metadata: { ...secret.metadata, ownerReferences } })
}

/** As its user applies it. @returns what their controller makes of it */
export async function makeSource(client: KubeClient, object: KubeObject, { config }: BusMade): Promise<Golden> {
  await client.apply(resources.eventsources, object, { manager: 'user' })
  return theirEventSource(object, config)
}

/** Their controller looks at all objects as long as its Pod is there. Rejects, when it is stopped, if a Pod of ours ever was there at the same time. */
export function playTheirController(client: KubeClient, goldens: readonly Golden[]): () => Promise<void> {
  let over = false
  let failure: Error | null = null
  const look = async (): Promise<void> => {
    const { items } = await client.list(resources.pods, { namespace: HOME })
    const running = items
      .map(({ spec }) => (spec as Plain).containers[0] as Plain)
      .filter(({ args }) => args?.[0] === 'controller')
    const theirs = running.some(({ image }) => image === THEIR_IMAGE)
    if (theirs && running.some(({ image }) => image === IMAGE)) failure = new Error('two controllers at a time')
    if (theirs) for (const golden of goldens) await asTheirController(client, golden)
  }
  const run = (async () => {
    while (!over) {
      // What came between is tried again, as it does.
      await look().catch(() => {})
      await pause(500)
    }
  })()
  return async () => {
    over = true
    await run
    assert.equal(failure, null)
  }
}

/** How long each EventSource's Deployment took from its change to when every Pod was new and available, milliseconds. */
export interface Rollouts {
  took: Map<string, number>
  stop(): Promise<void>
}

/** @param image what Pods are replaced by */
export function followRollouts(client: KubeClient, image: string): Rollouts {
  const took = new Map<string, number>()
  const began = new Map<string, number>()
  let over = false
  const look = async (): Promise<void> => {
    const { items } = await client.list(resources.deployments, { labelSelector: 'controller=eventsource-controller' })
    for (const deployment of items) {
      const { namespace, labels = {} } = deployment.metadata
      const name = `${namespace}/${labels['eventsource-name']}`
      if ((deployment as Plain).spec.template.spec.containers[0].image !== image) continue
      if (!began.has(name)) began.set(name, performance.now())
      if (!took.has(name) && rolledOut(deployment) === true) took.set(name, performance.now() - began.get(name)!)
    }
  }
  const run = (async () => {
    while (!over) {
      await look().catch(() => {})
      await pause(200)
    }
  })()
  return {
    took,
    async stop() {
      over = true
      await run
      // The last one may have been through between two looks.
      await look()
    },
  }
}
