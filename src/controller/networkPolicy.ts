/**
 * Who reaches the Pods of an EventSource, and the servers of a native bus: with `--network-policies on`. What goes out is left open: origins, providers, proxies and
 * the cluster's DNS are addresses that a policy does not know by name.
 */
import type { KubeObject } from '../kube/resources.ts'
import type { EventSource } from '../manifest/manifest.ts'
import { type Owner, owned, ownerLabels } from './objects.ts'
import { METRICS_PORT } from './template.ts'

/** Of the Deployment of the controller, see install/manager.ts. */
export const CONTROLLER_LABELS = { app: 'controller-manager' }
/** Of all Pods of EventSources and Sensors, Argo Events' too; and of the Job of a deletion. */
export const CLIENT_LABELS = ['eventsource-controller', 'sensor-controller'].map((controller) => ({ controller }))

export function sourcePolicyName({ name }: { name: string }): string {
  return `${name}-eventsource`
}

export function busPolicyName({ name }: { name: string }): string {
  return `eventbus-${name}-js`
}

const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: 'TCP', port }))
const pods = (matchLabels: Record<string, string>) => ({ podSelector: { matchLabels } })

/** Everybody reaches the ports of its entries, and metrics, health and status; its replicas reach each other. */
export function sourcePolicy(owner: Owner, { entries }: EventSource): KubeObject {
  const own = entries.flatMap(({ ports, refused }) => (refused === undefined ? (ports ?? []) : []))
  const open = [...new Set([...own, METRICS_PORT])].sort((a, b) => a - b)
  return policy(owner, sourcePolicyName(owner), [{ ports: tcp(...open) }, { from: [pods(ownerLabels(owner))] }])
}

const CLIENTS = 4222
const EXPORTER = 7777
const MONITOR = 8222

/**
 * EventSources and Sensors of the namespace reach the servers, servers reach each other, everybody the exporter's metrics, and the controller what they hold, and the stream.
 * @param home the namespace of the controller
 */
export function busPolicy(owner: Owner, home: string): KubeObject {
  const controller = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': home } },
    ...pods(CONTROLLER_LABELS),
  }
  return policy(owner, busPolicyName(owner), [
    { from: CLIENT_LABELS.map(pods), ports: tcp(CLIENTS) },
    { from: [pods(ownerLabels(owner))] },
    { from: [controller], ports: tcp(MONITOR, CLIENTS) },
    { ports: tcp(EXPORTER) },
  ])
}

function policy(owner: Owner, name: string, ingress: object[]): KubeObject {
  return owned(owner, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec: { podSelector: { matchLabels: ownerLabels(owner) }, policyTypes: ['Ingress'], ingress },
  })
}
