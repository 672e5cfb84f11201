/** EventSources as users of Argo Events write them, one of each kind of hand-over. None has a field that only Vedette knows. */
import type { KubeObject } from '../../../src/kube/resources.ts'

/** What an EventSource is about: `clock` and `maps` are elected by a Lease, `beat` and `drop` over NATS. */
export const KINDS = ['hooks', 'clock', 'beat', 'drop', 'maps'] as const
export type Kind = (typeof KINDS)[number]

/** The account that may do what Leases and the type `resource` need. */
export const ACCOUNT = 'events'
export const RIGHTS = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] },
]
/** Of ConfigMaps that are made as load. */
export const LOAD_LABEL = { key: 'load', value: 'maps' }
const LEASE = { 'events.argoproj.io/leader-election': 'k8s' }
/** With Argo Events' two seconds a leader gives up on a busy machine, and its ticks are lost. */
const PATIENT = [
  { name: 'LEADER_ELECTION_LEASE_DURATION', value: '15s' },
  { name: 'LEADER_ELECTION_RENEW_DEADLINE', value: '10s' },
  { name: 'LEADER_ELECTION_RETRY_PERIOD', value: '1s' },
]
/** Where the files are, in Pods. */
export const FILES = '/files'

/** @param count of the namespace: the kinds in turn, again and again. @param files a folder of the machine that all Pods see */
export function sourcesOf(namespace: string, count: number, files: string): { kind: Kind; object: KubeObject }[] {
  return Array.from({ length: count }, (_, i) => {
    const kind = KINDS[i % KINDS.length]!
    const name = i < KINDS.length ? kind : `${kind}${Math.floor(i / KINDS.length)}`
    const { annotations, ...spec } = specOf(kind, namespace, files)
    const metadata = {
      name,
      namespace,
      labels: { team: namespace },
      ...(annotations === undefined ? {} : { annotations }),
    }
    return { kind, object: { apiVersion: 'argoproj.io/v1alpha1', kind: 'EventSource', metadata, spec } }
  })
}

interface Spec extends Record<string, unknown> {
  annotations?: Record<string, string>
}

function specOf(kind: Kind, namespace: string, files: string): Spec {
  const container = { resources: { requests: { cpu: '100m', memory: '64Mi' } } }
  const template = { serviceAccountName: ACCOUNT, container: { ...container, env: PATIENT } }
  switch (kind) {
    case 'hooks':
      return {
        replicas: 2,
        template: { container },
        service: { ports: [{ port: 80, targetPort: 12_000 }] },
        webhook: { order: { port: '12000', endpoint: '/orders', method: 'POST' } },
      }
    case 'clock':
      return { annotations: LEASE, replicas: 2, template, calendar: { tick: { interval: '1s' } } }
    case 'beat':
      return { template: { container }, calendar: { tick: { interval: '1s' } } }
    case 'drop':
      return {
        template: {
          container: { ...container, volumeMounts: [{ name: 'files', mountPath: FILES }] },
          volumes: [{ name: 'files', hostPath: { path: files } }],
        },
        file: { created: { eventType: 'CREATE', watchPathConfig: { directory: `${FILES}/`, pathRegexp: '.*' } } },
      }
    case 'maps':
      return {
        ...{ annotations: LEASE, replicas: 2, template },
        resource: {
          added: {
            ...{ version: 'v1', resource: 'configmaps', namespace, eventTypes: ['ADD'] },
            filter: { labels: [{ ...LOAD_LABEL, operation: '==' }] },
          },
        },
      }
  }
}
