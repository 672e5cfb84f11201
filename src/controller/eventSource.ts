/** EventSource → Deployment, Service, PodDisruptionBudget and what its Lease needs. Pure: no API, the same input gives the same objects. */

import { electsItself } from '../buses/index.ts'
import { leaseName } from '../ha/locks/kubernetes-lease.ts'
import type { KubeObject } from '../kube/resources.ts'
import type { EventSource } from '../manifest/manifest.ts'
import { containerSecurity, lowPorts, podSecurity } from '../manifest/podDefaults.ts'
import type { BusConfig } from './busConfig.ts'
import { handedOn } from './handedOn.ts'
import { sourcePolicy } from './networkPolicy.ts'
import { compact, encoded, inherited, type Owner, owned, ownerLabels } from './objects.ts'
import type { Settings } from './settings.ts'
import { antiAffinity, disruptionBudget, topologySpread } from './spread.ts'
import { busEnv, list, METRICS_PORT, podTemplate } from './template.ts'
import { withUpstreamHash } from './upstreamHash.ts'
import { volumesOf } from './volumes.ts'

export const ELECTION_ANNOTATION = 'events.argoproj.io/leader-election'

export interface EventSourceInput {
  source: EventSource
  /** `metadata.uid`; absent outside a cluster. */
  uid?: string | undefined
  /** What the replicas are told of the bus. */
  bus: BusConfig
  settings: Settings
  /** The Deployment that is already there, when its name is not ours (upstream's names end in random letters). */
  deploymentName?: string | undefined
}

/** In the order in which they are applied. */
export function eventSourceObjects(input: EventSourceInput): KubeObject[] {
  const { source } = input
  const owner = ownerOf(input)
  const service = serviceOf(owner, source)
  return [
    ...(usesLease(source, input.bus) ? leaseAccess(owner, serviceAccountOf(source)) : []),
    deployment(owner, input),
    ...(service === null ? [] : [service]),
    ...(input.settings.networkPolicies === 'on' ? [sourcePolicy(owner, source)] : []),
    ...(source.replicas > 1 ? [disruptionBudget(owner, `${source.name}-eventsource-pdb`, ownerLabels(owner))] : []),
  ]
}

export function deploymentName(source: { name: string }): string {
  return `${source.name}-eventsource`
}

/** Whether its replicas elect by Kubernetes Lease: on a bus without a lock, and where the annotation says `k8s`. */
export function usesLease({ annotations }: EventSource, bus: BusConfig): boolean {
  return !electsItself(bus) || annotations[ELECTION_ANNOTATION]?.toLowerCase() === 'k8s'
}

function ownerOf({ source: { namespace, name }, uid }: EventSourceInput): Owner {
  return { kind: 'EventSource', namespace, name, uid }
}

export function serviceAccountOf({ spec }: EventSource): string {
  return ((spec.template as Record<string, unknown> | undefined)?.serviceAccountName as string | undefined) || 'default'
}

function deployment(owner: Owner, { source, bus, settings, deploymentName: existing }: EventSourceInput): KubeObject {
  const labels = ownerLabels(owner)
  const template = handedOn(source.spec.template as Record<string, any> | undefined)
  const { volumes, mounts } = volumesOf(bus, [source.spec])
  const { container } = template ?? {}
  const env = podVariables(source, bus)
  return owned(owner, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: existing ?? deploymentName(source),
      labels: { ...source.labels, ...labels },
      annotations: inherited(source.annotations),
    },
    spec: {
      replicas: source.replicas,
      ...compact({ revisionHistoryLimit: source.spec.revisionHistoryLimit }),
      selector: { matchLabels: labels },
      template: podTemplate({
        template,
        labels,
        image: settings.image,
        imagePullPolicy: settings.imagePullPolicy,
        command: 'eventsource-service',
        env,
        volumes,
        mounts,
        container: probes,
        security: {
          container: containerSecurity(container?.securityContext),
          pod: {
            ...podSecurity(template?.securityContext, [container?.securityContext]),
            ...(listensLow(source) && template?.securityContext?.sysctls === undefined ? lowPorts : {}),
          },
        },
        pod: compact({
          // Drains, hands over and acks what is stored before the kubelet loses patience.
          terminationGracePeriodSeconds: 60,
          automountServiceAccountToken: needsToken(source, bus) ? undefined : false,
          // The same for any number of replicas: scaling replaces no Pod.
          affinity: antiAffinity(labels),
          topologySpreadConstraints: spreadOf(template?.topologySpreadConstraints, labels),
        }),
      }),
    },
  })
}

/** What its process is told by the controller. */
function podVariables(source: EventSource, bus: BusConfig): object[] {
  return [
    { name: 'EVENTSOURCE_OBJECT', value: objectText(source) },
    ...busEnv(source.namespace, source.annotations[ELECTION_ANNOTATION], encoded(bus)),
    { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  ]
}

/** The user's own, if there are any: one without a selector means the Pods of this EventSource, each revision for itself. */
function spreadOf(own: unknown, labels: Record<string, string>): object[] {
  const revisions = { matchLabelKeys: ['pod-template-hash'] }
  if (!Array.isArray(own)) return topologySpread(labels, { revisions: true })
  return own.map((one) => (one?.labelSelector ? one : { ...revisions, ...one, labelSelector: { matchLabels: labels } }))
}

/**
 * What EVENTSOURCE_OBJECT says: upstream's bare object, without what concerns the controller alone, so that scaling, say,
 * replaces no Pod.
 */
export function objectText({ name, namespace, spec }: EventSource): string {
  const { replicas: _, service: __, template: ___, revisionHistoryLimit: ____, ...read } = spec
  return encoded({ metadata: { name, namespace, creationTimestamp: null }, spec: read, status: {} })
}

const get = (path: string) => ({ httpGet: { path, port: METRICS_PORT } })

/** Ready = every entry that this replica should serve is served, or it stands by, warm; alive = its event loop turns. */
const probes = {
  startupProbe: { ...get('/startupz'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 },
  livenessProbe: { ...get('/healthz'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  readinessProbe: { ...get('/readyz'), periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3 },
}

/** Without a Lease and the Kubernetes API as origin the Pod has no use for a token; an account of the user's own is left as it is. */
function needsToken(source: EventSource, bus: BusConfig): boolean {
  return (
    usesLease(source, bus) ||
    source.entries.some(({ needs }) => needs?.includes('kubernetes')) ||
    serviceAccountOf(source) !== 'default'
  )
}

function listensLow({ spec }: EventSource): boolean {
  const low = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).some(([key, below]) =>
      key === 'port' && typeof below === 'string' ? Number(below) > 0 && Number(below) < 1024 : low(below),
    )
  const { template: _, service: __, ...types } = spec
  return low(types)
}

/** Null when the object asks for none. */
function serviceOf(owner: Owner, source: EventSource): KubeObject | null {
  const { ports, clusterIP, metadata } = (source.spec.service ?? {}) as Record<string, any>
  if (list(ports).length === 0) return null
  const labels = ownerLabels(owner)
  const service = owned(owner, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: `${source.name}-eventsource-svc`,
      labels: { ...metadata?.labels, ...source.labels, ...labels },
      annotations: { ...metadata?.annotations },
    },
    spec: compact({ type: 'ClusterIP', clusterIP, ports: named(ports), selector: labels }),
  })
  return withUpstreamHash(service)
}

/** The API wants names as soon as there are two; upstream's Service is refused without them. */
function named(ports: any[]): object[] {
  if (ports.length === 1) return ports
  return ports.map((port) => ({ name: `port-${port.port}`, ...port }))
}

/** The right to this EventSource's one Lease (`create` cannot be limited to a name). */
function leaseAccess(owner: Owner, serviceAccount: string): KubeObject[] {
  const name = `${owner.name}-eventsource-lease`
  const apiGroup = 'rbac.authorization.k8s.io'
  const rule = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] }
  return [
    owned(owner, {
      apiVersion: `${apiGroup}/v1`,
      kind: 'Role',
      metadata: { name },
      rules: [
        { ...rule, resourceNames: [leaseName(owner.name)], verbs: ['get', 'update'] },
        { ...rule, verbs: ['create'] },
      ],
    }),
    owned(owner, {
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata: { name },
      roleRef: { apiGroup, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace: owner.namespace }],
    }),
  ]
}
