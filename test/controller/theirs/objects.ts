/**
 * What Argo Events' controller makes of objects that are not among its goldens: the form is that of the goldens, and objects.test.ts compares
 * the two.
 */
import type { KubeObject } from '../../../src/kube/resources.ts'
import { type Golden, goldenIn, THEIR_IMAGE } from '../argo-events.ts'
import type { Plain } from '../rig.ts'

export interface BusMade extends Golden {
  /** `status.config`, which its Pods are told. */
  config: object
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

/** An EventBus `default` of three servers, without disks, as `version: latest` and nothing else makes it; each event has three copies. */
export function theirNativeBus(namespace: string): BusMade {
  const golden = goldenIn('jetstream-webhook.yaml', namespace)
  const { kind, apiVersion } = golden.input[0]!
  const settings = {
    discard: 0,
    duplicates: '300s',
    maxage: '168h',
    maxbytes: -1,
    maxmsgs: 50_000,
    replicas: 3,
    retention: 0,
  }
  return {
    input: [{ apiVersion, kind, metadata: { name: 'default', namespace }, spec: { jetstream: { version: 'latest' } } }],
    made: golden.made.filter(({ metadata }) => metadata.labels?.controller === 'eventbus-controller'),
    config: {
      jetstream: {
        url: `nats://eventbus-default-js-svc.${namespace}.svc:4222`,
        accessSecret: { name: 'eventbus-default-js-client-auth', key: 'client-auth' },
        streamConfig: Object.entries(settings)
          .map(([key, value]) => `${key}: ${value}\n`)
          .join(''),
      },
    },
  }
}

/** An EventBus that names servers of one's own. */
export function theirExoticBus(namespace: string, jetstreamExotic: object): BusMade {
  const bus = { apiVersion: 'argoproj.io/v1alpha1', kind: 'EventBus', metadata: { name: 'default', namespace } }
  return { input: [{ ...bus, spec: { jetstreamExotic } }], made: [], config: { jetstream: jetstreamExotic } }
}

const owner = (name: string) => ({
  ...{ controller: 'eventsource-controller', 'eventsource-name': name, 'owner-name': name },
})

export interface MadeBy {
  image: string
  imagePullPolicy: string
}

/** Deployment and Service of an EventSource. Hashes are left out but for the Service's, which `asTheirController` makes. */
export function theirEventSource(
  source: KubeObject,
  config: object,
  { image, imagePullPolicy }: MadeBy = { image: THEIR_IMAGE, imagePullPolicy: 'IfNotPresent' },
): Golden {
  const { name, namespace, labels, annotations = {} } = source.metadata
  const spec = source.spec as Plain
  const { template = {}, service, replicas } = spec
  const { container = {} } = template as Plain
  const access = (config as Plain).jetstream.accessSecret
  const secrets = secretsIn(spec)
  const builtIn = [
    { name: 'tmp', mountPath: '/tmp', volume: { emptyDir: {} } },
    ...(access === undefined
      ? []
      : [
          {
            ...{ name: 'auth-volume', mountPath: '/etc/eventbus/auth' },
            volume: { secret: { secretName: access.name, items: [{ key: access.key, path: 'auth.yaml' }] } },
          },
        ]),
    ...secrets.map((secret) => ({
      ...{ name: `secret-${secret.replaceAll('_', '-')}`, mountPath: `/argo-events/secrets/${secret}`, readOnly: true },
      volume: { secret: { secretName: secret } },
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
  const object = { metadata: { name, namespace, creationTimestamp: null }, spec, status: {} }
  const env = [
    ...(container.env ?? []),
    { name: 'EVENTSOURCE_OBJECT', value: base64(object) },
    { name: 'EVENTBUS_SUBJECT', value: `eventbus-${namespace}` },
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'LEADER_ELECTION', value: annotations['events.argoproj.io/leader-election'] ?? '' },
    { name: 'EVENTBUS_CONFIG', value: base64(config) },
  ]
  const main = {
    ...{ name: 'main', image, imagePullPolicy, args: ['eventsource-service'], env },
    ports: [{ name: 'metrics', containerPort: 7777 }],
    resources: container.resources ?? {},
    ...(container.securityContext === undefined ? {} : { securityContext: container.securityContext }),
    volumeMounts: [...(container.volumeMounts ?? []), ...builtIn.map(({ volume: _, ...mount }) => mount)],
  }
  const pod = {
    ...(template.serviceAccountName === undefined ? {} : { serviceAccountName: template.serviceAccountName }),
    containers: [main],
    volumes: [...(template.volumes ?? []), ...builtIn.map(({ name, volume }) => ({ name, ...volume }))],
  }
  const metadata = { labels: { ...template.metadata?.labels, ...owner(name) } }
  const given = template.metadata?.annotations
  const deployment: KubeObject = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
    metadata: {
      generateName: `${name}-eventsource-`,
      namespace: namespace!,
      labels: { ...labels, ...owner(name) },
    } as never,
    spec: {
      replicas: Math.max(1, replicas ?? 1),
      selector: { matchLabels: owner(name) },
      strategy: {},
      template: { metadata: given === undefined ? metadata : { ...metadata, annotations: given }, spec: pod },
    },
  }
  return { input: [source], made: [deployment, ...(service === undefined ? [] : [serviceOf(source)])] }
}

function serviceOf({ metadata: { name, namespace, labels }, spec }: KubeObject): KubeObject {
  const { ports, metadata = {} } = (spec as Plain).service
  return {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: {
      name: `${name}-eventsource-svc`,
      namespace: namespace!,
      labels: { ...metadata.labels, ...labels, ...owner(name) },
      annotations: { ...metadata.annotations },
    },
    spec: { type: 'ClusterIP', ports, selector: owner(name) },
  }
}

/** Names of the Secrets that are referred to anywhere. */
function secretsIn(value: unknown, key = ''): string[] {
  if (typeof value !== 'object' || value === null) return []
  const named = /Secret$|^secretKeyRef$/.test(key) ? [(value as { name: string }).name] : []
  return [...new Set([...named, ...Object.entries(value).flatMap(([key, below]) => secretsIn(below, key))])]
}
