/**
 * `spec.template` of EventSources and Sensors → Pod template. Only upstream's fields get through (apis/events/v1alpha1/template.go:9-80): a whole
 * container in the object once let its author run anything (CVE-2025-32445).
 */
import { compact } from './objects.ts'

export interface PodInput {
  /** `spec.template`, as written. */
  template: Record<string, any> | undefined
  labels: Record<string, string>
  image: string
  imagePullPolicy: string
  command: string
  env: object[]
  volumes: object[]
  mounts: object[]
  /** Fields of the main container that the template does not reach. */
  container?: Record<string, unknown>
  /** The securityContext of the main container, and of the Pod. */
  security?: { container: object; pod: object }
  /** Fields of the Pod that the template overrides. */
  pod?: Record<string, unknown>
}

/** The Prometheus metrics, health and status of a replica. */
export const METRICS_PORT = 7777

/** @returns a PodTemplateSpec with the one container `main` */
export function podTemplate(input: PodInput): object {
  const { template = {}, labels, env, volumes, mounts } = input
  const { container = {}, metadata = {} } = template
  const main = compact({
    name: 'main',
    image: input.image,
    imagePullPolicy: container.imagePullPolicy || input.imagePullPolicy,
    args: [input.command],
    ports: [{ name: 'metrics', containerPort: METRICS_PORT }],
    // Ours come last, so that no entry of the template wins over them.
    env: [...list(container.env), ...env],
    envFrom: list(container.envFrom),
    resources: container.resources,
    securityContext: input.security?.container ?? container.securityContext,
    volumeMounts: [...list(container.volumeMounts), ...mounts],
    ...input.container,
  })
  const spec = compact({
    ...input.pod,
    ...compact({
      serviceAccountName: template.serviceAccountName,
      nodeSelector: template.nodeSelector,
      tolerations: template.tolerations,
      affinity: template.affinity,
      imagePullSecrets: template.imagePullSecrets,
      priorityClassName: template.priorityClassName,
      priority: template.priority,
      securityContext: input.security?.pod ?? template.securityContext,
    }),
    containers: [main],
    volumes: [...list(template.volumes), ...volumes],
  })
  return {
    metadata: compact({ labels: { ...metadata.labels, ...labels }, annotations: metadata.annotations }),
    spec,
  }
}

/** What the controller sets in EventSource Pods; nothing of a template has these names. */
export const OUR_VARIABLES =
  'EVENTSOURCE_OBJECT EVENTBUS_SUBJECT POD_NAME LEADER_ELECTION EVENTBUS_CONFIG POD_IP'.split(' ')

/** The variables that upstream gives to EventSource and Sensor Pods alike. */
export function busEnv(namespace: string, election: string | undefined, busConfig: string): object[] {
  return [
    { name: 'EVENTBUS_SUBJECT', value: `eventbus-${namespace}` },
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    compact({ name: 'LEADER_ELECTION', value: election }),
    { name: 'EVENTBUS_CONFIG', value: busConfig },
  ]
}

export function list(value: unknown): any[] {
  return Array.isArray(value) ? value : []
}
