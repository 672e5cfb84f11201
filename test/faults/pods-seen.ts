/** The Pods of an EventSource as the API server tells of them, with what became of their containers; and the processes in them. */
import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/log.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'

/** A Pod that has an address. */
export interface PodSeen {
  name: string
  uid: string
  ip: string
  node: string
  ready: boolean
}

export interface PodsFollowed {
  /** Those that have not been told to end. */
  pods(): PodSeen[]
  /** Whether so many Pods are there and ready, and no other is left. */
  settledAt(count: number): boolean
  /** Of this Pod's containers one may end other than with 0. */
  mayDie(uid: string): void
  /** Ends of containers that nobody wanted. */
  unwantedEnds(): string[]
  stop(): Promise<void>
}

interface PodObject extends KubeObject {
  spec?: { nodeName?: string }
  status?: {
    podIP?: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: { state?: ContainerState; lastState?: ContainerState }[]
  }
}

interface ContainerState {
  terminated?: { exitCode: number; reason?: string; containerID?: string }
}

export function followPods(client: KubeClient, namespace: string): PodsFollowed {
  const stop = new AbortController()
  const informer = createInformer<PodObject>({
    ...{ client, namespace, resource: resources.pods, clock: systemClock, log: silentLogger },
    labelSelector: 'eventsource-name=clock',
  })
  /** By container, so that each counts once. */
  const failed = new Map<string, { uid: string; text: string }>()
  /** How often, by Pod. */
  const wanted = new Map<string, number>()
  informer.onChange((key) => {
    const pod = informer.get(key)
    for (const { state, lastState } of pod?.status?.containerStatuses ?? []) {
      for (const { terminated } of [state ?? {}, lastState ?? {}]) {
        if (terminated === undefined || terminated.exitCode === 0) continue
        const { exitCode, reason = '', containerID = '' } = terminated
        const { name, uid = '' } = pod!.metadata
        failed.set(`${uid} ${containerID}`, { uid, text: `${name} with ${exitCode} ${reason}` })
      }
    }
  })
  const over = informer.run(stop.signal)
  const pods = () =>
    [...informer.values()].flatMap((pod) => {
      const { metadata, spec, status } = pod
      if (metadata.deletionTimestamp !== undefined || status?.podIP === undefined) return []
      return [
        {
          name: metadata.name,
          uid: metadata.uid!,
          ip: status.podIP,
          node: spec?.nodeName ?? '',
          ready: status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
        },
      ]
    })
  return {
    pods,
    settledAt: (count) =>
      [...informer.values()].length === count && pods().filter(({ ready }) => ready).length === count,
    mayDie: (uid) => void wanted.set(uid, (wanted.get(uid) ?? 0) + 1),
    unwantedEnds() {
      const left = new Map(wanted)
      return [...failed.values()].flatMap(({ uid, text }) => {
        const count = left.get(uid) ?? 0
        left.set(uid, count - 1)
        return count > 0 ? [] : [text]
      })
    },
    async stop() {
      stop.abort()
      await over
    },
  }
}

/** The pid, on this machine, of Vedette's process in a Pod: the kubelet names control groups by the Pod. @throws when there is none */
export function processIn({ name, uid }: PodSeen): number {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      if (!readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`pod${uid}`)) continue
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('eventsource-service')) return Number(pid)
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error(`no process of ${name}`)
}
