/** Why Pods do not get ready, in the words of who says so: the scheduler, the kubelet, the container. Pure. */
import type { KubeObject } from '../kube/resources.ts'

export interface PodTrouble {
  pod: string
  /** One word, for programs: Kubernetes' own where it has one. */
  reason: string
  /** For people: the Pod and what is wrong with it. It stays the same while nothing changes. */
  message: string
}

interface ContainerState {
  waiting?: { reason?: string; message?: string }
  running?: { startedAt?: string }
  terminated?: { reason?: string; exitCode?: number; signal?: number; message?: string }
}

interface ContainerStatus {
  name: string
  ready?: boolean
  started?: boolean
  restartCount?: number
  state?: ContainerState
  lastState?: ContainerState
}

interface PodStatus {
  phase?: string
  reason?: string
  message?: string
  conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[]
  initContainerStatuses?: ContainerStatus[]
  containerStatuses?: ContainerStatus[]
}

/** So long may a container take to get ready, and a Pod to be started or to end after its grace, before that is trouble, milliseconds. */
const PATIENCE_MS = 10_000

/** What a container waits for when all is well. */
const UNDER_WAY = new Set(['ContainerCreating', 'PodInitializing'])

/**
 * @param pods those that should be ready, in any order: of the wanted generation alone
 * @param now milliseconds since the epoch
 * @returns the gravest of what is wrong: what will not pass by itself first
 */
export function podTrouble(pods: readonly KubeObject[], now: number): PodTrouble | null {
  for (const look of looks) {
    for (const pod of pods) {
      if (isPodReady(pod)) continue
      const found = look((pod.status ?? {}) as PodStatus, pod, now)
      if (found === null) continue
      const { name } = pod.metadata
      return { pod: name, reason: found.reason, message: `Pod "${name}": ${found.message}` }
    }
  }
  return null
}

/** A Pod that is being deleted counts no more. */
export function isPodReady({ metadata, status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as PodStatus
  return (
    metadata.deletionTimestamp === undefined &&
    conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  )
}

type Found = Pick<PodTrouble, 'reason' | 'message'> | null
type Look = (status: PodStatus, pod: KubeObject, now: number) => Found

/** The gravest first. */
const looks: Look[] = [waits, isUnscheduled, hasFailed, hasEnded, isNotReady, isNotStarted, doesNotEnd]

function containersOf({ initContainerStatuses = [], containerStatuses = [] }: PodStatus): ContainerStatus[] {
  return [...initContainerStatuses, ...containerStatuses]
}

/** ImagePullBackOff, CrashLoopBackOff, CreateContainerConfigError and whatever else the kubelet calls it. */
function waits(status: PodStatus): Found {
  for (const { name, state, lastState, restartCount = 0 } of containersOf(status)) {
    const { reason, message } = state?.waiting ?? {}
    if (reason === undefined || UNDER_WAY.has(reason)) continue
    const ended = lastState?.terminated
    const text = reason === 'CrashLoopBackOff' && ended !== undefined ? endText(ended, restartCount) : message
    return { reason, message: sentence(`container "${name}": ${reason}`, text) }
  }
  return null
}

function isUnscheduled({ conditions = [] }: PodStatus): Found {
  const scheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (scheduled === undefined) return null
  const { reason = 'Unschedulable', message } = scheduled
  return { reason, message: sentence('no node takes it', message) }
}

/** Refused by the kubelet, evicted: its ReplicaSet makes another. */
function hasFailed({ phase, reason = 'PodFailed', message }: PodStatus): Found {
  return phase === 'Failed' ? { reason, message: sentence(reason, message) } : null
}

/** Between an end and the next start. */
function hasEnded(status: PodStatus): Found {
  for (const { name, state, restartCount = 0 } of containersOf(status)) {
    const ended = state?.terminated
    if (ended === undefined || ended.exitCode === 0) continue
    return { reason: ended.reason ?? 'Error', message: `container "${name}": ${endText(ended, restartCount)}` }
  }
  return null
}

function isNotReady({ containerStatuses = [] }: PodStatus, { metadata }: KubeObject, now: number): Found {
  if (metadata.deletionTimestamp !== undefined) return null
  for (const { name, ready, started, state, lastState, restartCount = 0 } of containerStatuses) {
    const since = state?.running?.startedAt
    if (ready === true || since === undefined) continue
    const before = lastState?.terminated
    const ended = before === undefined || before.exitCode === 0 ? undefined : endText(before, restartCount)
    if (now - Date.parse(since) < PATIENCE_MS) {
      if (ended !== undefined) return { reason: before!.reason ?? 'Error', message: `container "${name}": ${ended}` }
      continue
    }
    const probe = started === false ? 'startup' : 'readiness'
    const text = `container "${name}" runs since ${since} and its ${probe} probe does not succeed`
    return {
      reason: started === false ? 'NotStarted' : 'NotReady',
      message: ended === undefined ? text : `${text}; before that ${ended}`,
    }
  }
  return null
}

/** The kubelet has it and says nothing: a volume that is not there, a network that gives no address. */
function isNotStarted(status: PodStatus, { metadata }: KubeObject, now: number): Found {
  const since = metadata.creationTimestamp
  if (metadata.deletionTimestamp !== undefined || status.phase === 'Running' || since === undefined) return null
  if (now - Date.parse(since) < PATIENCE_MS) return null
  return { reason: 'NotStarted', message: `was made at ${since} and no container of it runs yet: see its events` }
}

/** Its node may be lost. */
function doesNotEnd(_: PodStatus, { metadata: { deletionTimestamp } }: KubeObject, now: number): Found {
  // The time is that at which the grace is over.
  if (deletionTimestamp === undefined || now - Date.parse(deletionTimestamp) < PATIENCE_MS) return null
  return { reason: 'Terminating', message: `should have ended at ${deletionTimestamp}: is its node alive?` }
}

function endText(
  { reason, exitCode, signal, message }: NonNullable<ContainerState['terminated']>,
  restarts: number,
): string {
  const how = signal ? `signal ${signal}` : `exit code ${exitCode}`
  const times = restarts === 0 ? '' : `, started anew ${restarts} ${restarts === 1 ? 'time' : 'times'}`
  return sentence(`it ended with ${how}${reason === undefined ? '' : ` (${reason})`}${times}`, message)
}

/** Of what containers write only the end is of use, and a status is no log. */
const LONGEST = 500

function sentence(head: string, tail: string | undefined): string {
  const text = tail?.trim().replaceAll(/\s+/g, ' ') ?? ''
  if (text === '') return head
  return `${head}: ${text.length > LONGEST ? `…${text.slice(-LONGEST)}` : text}`
}
