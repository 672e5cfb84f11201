/** Pods without nodes: what a kubelet would report of each, so that Deployments get on. For tests of objects, not of what runs. */
import { setTimeout as pause } from 'node:timers/promises'
import type { KubeClient } from '../../src/kube/client.ts'
import { resources } from '../../src/kube/resources.ts'

/** Every Pod is ready at once. @returns how to end it */
export function reportReady(client: KubeClient): () => Promise<void> {
  const end = new AbortController()
  const look = async (): Promise<void> => {
    for (const { metadata, status } of (await client.list(resources.pods)).items) {
      if ((status as { phase?: string }).phase === 'Running') continue
      const { name, namespace } = metadata
      const conditions = ['Initialized', 'ContainersReady', 'Ready'].map((type) => ({ type, status: 'True' }))
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: namespace! },
        status: { phase: 'Running', conditions },
      }
      await client.applyStatus(resources.pods, object, { manager: 'kubelet' }).catch(() => null)
    }
  }
  const run = (async () => {
    while (!end.signal.aborted) {
      await look().catch(() => {})
      await pause(200)
    }
  })()
  return async () => {
    end.abort()
    await run
  }
}
