/**
 * What Argo Events leaves on a cluster, as data: its install, and what its controllers make (test/golden/controller). Its program cannot run
 * here; what it does to objects when it is put back (reconciler/eventsource/resource.go, webhook/webhook.go) is done by `asTheirController`.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseDocument } from 'yaml'
import { authConf } from '../../src/controller/eventBus/natsConf.ts'
import { withUpstreamHash } from '../../src/controller/upstreamHash.ts'
import { makeCertificate } from '../../src/controller/x509.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { type KubeObject, resources } from '../../src/kube/resources.ts'
import { objectsOf, type Plain, resourceFor } from './rig.ts'

export const THEIR_IMAGE = 'quay.io/argoproj/argo-events:v1.9.11'
const golden = path.resolve(import.meta.dirname, '../golden/controller')

export interface Golden {
  /** EventBus and EventSource as users write them. */
  input: KubeObject[]
  /** What the controllers made of them: without owners, which are the cluster's. */
  made: KubeObject[]
}

/** The goldens' Secrets have names that a real API server refuses. */
const NO_NAME = /(?<=env)_(?=secret)|(?<=tls)_(?=Secret)/g

/** One golden file, in another namespace. */
export function goldenIn(file: string, namespace: string): Golden {
  const text = readFileSync(path.join(golden, file), 'utf8')
    .replaceAll('ns1', namespace)
    .replaceAll(NO_NAME, '-')
    .replaceAll('tls-Secret', 'tls-secret')
  const [, input = '', ...sections] = text.split(/^# ---- INPUT\n|^# (?=OBSERVED|DECODED)/m)
  const documents = sections
    .filter((section) => section.startsWith('OBSERVED'))
    .map(
      (section) =>
        [
          section.split('\n')[0]!.split(' ')[1]!,
          parseDocument(section.slice(section.indexOf('\n')).replace(/---\s*$/, '')).toJS(),
        ] as const,
    )
  const made = documents
    .filter(([kind]) => kind !== 'EventBus' && kind !== 'EventSource')
    .map(([kind, object]) => bare({ ...object, kind, apiVersion: apiVersions[kind] }))
  const users = objectsOf(input.replace(/---\s*$/, '')).map((object) => ({
    ...object,
    metadata: { ...object.metadata, namespace },
  }))
  return { input: users, made }
}

const apiVersions: Record<string, string> = {
  ...{ Deployment: 'apps/v1', StatefulSet: 'apps/v1', Service: 'v1', ConfigMap: 'v1', Secret: 'v1' },
}

/** Without what only an API server or Go's encoder writes. */
function bare({ status: _, ...object }: Plain): KubeObject {
  const { ownerReferences: __, ...metadata } = object.metadata
  return JSON.parse(
    JSON.stringify({ ...object, metadata }, (key, value) =>
      value === null || (key === 'targetPort' && value === 0) ? undefined : value,
    ),
  )
}

export interface InstallNames {
  namespace: string
  /** Of the controller's Deployment; Helm's begins with the release. */
  controller?: string
  labels?: Record<string, string>
  args?: string[]
  metadata?: object
  config?: string
}

const labelsOf = (name: string) => ({ 'app.kubernetes.io/name': name })

/** Its manifests as they are installed: controller, configuration, webhook, roles. */
export function theirInstall({
  namespace,
  controller = 'controller-manager',
  labels = labelsOf(controller),
  args = ['controller'],
  metadata = {},
  config = 'argo-events-controller-config',
}: InstallNames): KubeObject[] {
  const deployment = (
    name: string,
    matchLabels: object,
    container: object,
    account: string,
    pod: object = {},
  ): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, ...metadata },
    spec: {
      replicas: 1,
      selector: { matchLabels },
      template: {
        metadata: { labels: matchLabels },
        spec: { serviceAccountName: account, containers: [{ image: THEIR_IMAGE, ...container }], ...pod },
      },
    },
  })
  const env = [
    { name: 'NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    { name: 'ARGO_EVENTS_IMAGE', value: THEIR_IMAGE },
  ]
  const account = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
  })
  const everything = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
  const versions = [
    ['latest', 'registry.corp/nats:2.10.29'],
    ['2.10.29', 'nats:2.10.29'],
    ['2.10.29-own', 'registry.corp/nats:2.10.29'],
  ].map(([version, natsImage]) => ({
    ...{ version, natsImage, startCommand: '/nats-server' },
    ...{ metricsExporterImage: 'registry.corp/exporter:1', configReloaderImage: 'registry.corp/reloader:1' },
  }))
  const data = { 'controller-config.yaml': JSON.stringify({ eventBus: { jetstream: { versions } } }) }
  const mount = { volumes: [{ name: 'config', configMap: { name: config } }] }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    ...[account('argo-events-sa'), account('argo-events-webhook-sa')],
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'argo-events-role' },
      rules: [
        { apiGroups: ['argoproj.io'], resources: ['eventsources', 'eventbus', 'sensors'], verbs: everything },
        { apiGroups: [''], resources: ['pods', 'pods/exec', 'configmaps', 'services'], verbs: everything },
      ],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: config, namespace }, data },
    deployment(controller, labels, { name: 'controller-manager', args, env }, 'argo-events-sa', mount),
    deployment(
      'events-webhook',
      { app: 'events-webhook' },
      { name: 'webhook', args: ['webhook-service'] },
      'argo-events-webhook-sa',
    ),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'events-webhook', namespace },
      spec: { ports: [{ port: 443, targetPort: 443 }], selector: { app: 'events-webhook' } },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'webhook.argo-events.argoproj.io' },
      webhooks: [
        {
          ...{ name: 'webhook.argo-events.argoproj.io', admissionReviewVersions: ['v1', 'v1beta1'] },
          clientConfig: { service: { name: 'events-webhook', namespace, port: 443 } },
          ...{ failurePolicy: 'Ignore', sideEffects: 'None' },
          rules: [
            {
              ...{ apiGroups: ['argoproj.io'], apiVersions: ['v1alpha1'], operations: ['CREATE', 'UPDATE', 'DELETE'] },
              resources: ['eventbus', 'eventsources', 'sensors'],
            },
          ],
        },
      ],
    },
  ]
}

/** Its CRDs: open objects, no columns. */
export const theirCrds: KubeObject[] = [
  ['EventSource', 'eventsources', 'es'],
  ['EventBus', 'eventbus', 'eb'],
  ['Sensor', 'sensors', 'sn'],
].map(([kind = '', plural = '', short]) => {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const schema = {
    ...{ type: 'object', required: ['metadata', 'spec'] },
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: open,
      status: open,
    },
  }
  return {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: { name: `${plural}.argoproj.io` },
    spec: {
      ...{ group: 'argoproj.io', scope: 'Namespaced' },
      names: { kind, plural, listKind: `${kind}List`, singular: kind.toLowerCase(), shortNames: [short] },
      versions: [
        {
          ...{ name: 'v1alpha1', served: true, storage: true },
          schema: { openAPIV3Schema: schema },
          subresources: { status: {} },
        },
      ],
    },
  }
})

/** Certificates and logins of a bus in its form: authority and server have one name. */
export function theirSecrets(bus: string, namespace: string): KubeObject[] {
  const times = { notBefore: Date.now() - 86_400_000, notAfter: Date.now() + 3_650 * 86_400_000 }
  const name = { organization: 'io.argoproj', keyKind: 'rsa' } as const
  const host = `eventbus-${bus}-js-svc.${namespace}.svc`
  const pair = (prefix: string, usages: ('server' | 'client')[]) => {
    const ca = makeCertificate({ ...name, authority: true, ...times })
    const names = [`${prefix}${host}.cluster.local`, `${prefix}${host}`]
    const leaf = makeCertificate({ ...name, names, usages, issuer: { ...name, key: ca.key }, ...times })
    return { ca: ca.cert, ...leaf }
  }
  const [clients, routes] = [pair('', ['server']), pair('*.', ['server', 'client'])]
  const secret = (name: string, values: Record<string, string>): KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque' },
    metadata: {
      name,
      namespace,
      labels: { controller: 'eventbus-controller', 'eventbus-name': bus, 'owner-name': bus },
    },
    data: Object.fromEntries(Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  })
  return [
    secret(`eventbus-${bus}-js-server`, {
      ...{
        auth: authConf('u', 'p', 's'),
        encryption: 'key',
        'private-key': clients.key,
        cert: clients.cert,
        'ca-cert': clients.ca,
      },
      ...{ 'cluster-private-key': routes.key, 'cluster-cert': routes.cert, 'cluster-ca-cert': routes.ca },
    }),
    secret(`eventbus-${bus}-js-client-auth`, { 'client-auth': 'username: u\npassword: p' }),
  ]
}

const HASH = 'resource-spec-hash'
const hashOf = ({ metadata }: KubeObject) => metadata.annotations?.[HASH]
const FINALIZERS: Record<string, string> = { EventSource: 'eventsource-controller', EventBus: 'eventbus-controller' }
const MANAGER = { manager: 'argo-events' }

/**
 * What its controller does when it looks at the objects of one golden: Deployments by server-side apply; Services made anew, and what a bus consists of changed, when their hash
 * differs.
 */
export async function asTheirController(client: KubeClient, { input, made }: Golden): Promise<void> {
  for (const wanted of input) {
    const resource = resourceFor(wanted)
    const live = await client.get(resource, wanted.metadata)
    if (live === null) continue
    const { finalizers = [] } = live.metadata
    const held = FINALIZERS[wanted.kind]!
    if (!finalizers.includes(held))
      await client.update(resource, { ...live, metadata: { ...live.metadata, finalizers: [...finalizers, held] } })
    const label = wanted.kind === 'EventBus' ? 'eventbus-controller' : 'eventsource-controller'
    for (const object of made.filter(({ metadata }) => metadata.labels?.controller === label))
      await make(client, live, object)
  }
}

async function make(client: KubeClient, owner: KubeObject, { metadata, ...object }: KubeObject): Promise<void> {
  const { apiVersion, kind } = owner
  const { name, uid } = owner.metadata
  const ownerReferences = [{ apiVersion, kind, name, uid: uid!, controller: true, blockOwnerDeletion: true }]
  const { generateName, ...named } = metadata
  const wanted: KubeObject = { ...object, metadata: { ...named, ownerReferences } }
  const resource = resourceFor(wanted)
  const labelSelector = Object.entries(metadata.labels ?? {})
    .filter(([key]) => key.endsWith('-name') || key === 'controller')
    .map(([key, value]) => `${key}=${value}`)
    .join()
  const { items } = await client.list(resource, { namespace: metadata.namespace!, labelSelector })
  const live = items.find((one) => one.metadata.ownerReferences?.some((each) => each.uid === uid))
  if (wanted.kind === 'Service' && kind === 'EventSource') {
    const hashed = withUpstreamHash(wanted)
    if (live !== undefined && hashOf(live) === hashOf(hashed)) return
    if (live !== undefined) await client.delete(resource, live.metadata)
    await client.create(resource, hashed)
  } else if (wanted.kind === 'Deployment') {
    if (live === undefined)
      await client.create(resource, { ...wanted, metadata: { ...wanted.metadata, name: `${generateName}x7k2p` } })
    else
      await client.apply(resource, { ...wanted, metadata: { ...wanted.metadata, name: live.metadata.name } }, MANAGER)
  } else if (live === undefined) await client.create(resource, wanted)
  else if (hashOf(wanted) !== undefined && hashOf(live) !== hashOf(wanted)) {
    const { spec, data } = wanted as Plain
    const annotations = { ...live.metadata.annotations, [HASH]: hashOf(wanted)! }
    const content = spec === undefined ? { data } : { spec: { ...(live as Plain).spec, ...spec } }
    await client.update(resource, { ...live, ...content, metadata: { ...live.metadata, annotations } })
  }
}

export { resources }
