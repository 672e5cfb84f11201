/** EventBus `jetstream` → ConfigMap, Service, StatefulSet, PodDisruptionBudget: upstream's, kept alive better. Pure. */

import type { NativeSpec } from '../../buses/index.ts'
import type { KubeObject } from '../../kube/resources.ts'
import type { NativeBus } from '../../manifest/manifest.ts'
import { containerSecurity, podSecurity } from '../../manifest/podDefaults.ts'
import { membersOf, plainValue } from '../../manifest/tree.ts'
import { parseYaml } from '../../manifest/yaml.ts'
import { busPolicy } from '../networkPolicy.ts'
import { compact, type Owner, owned, ownerLabels } from '../objects.ts'
import type { Settings } from '../settings.ts'
import { antiAffinity, disruptionBudget, topologySpread } from '../spread.ts'
import { list } from '../template.ts'
import { type Choice, choose, ENCRYPTION_ANNOTATION, type Running } from './chosen.ts'
import { secretNames } from './credentials.ts'
import { type ClaimTemplate, DEFAULT_VOLUME, type Disks, type Persistence } from './disks.ts'
import { CONFIG_DIR, DATA_DIR, type Encryption, natsConf, PID_FILE, streamConfigText } from './natsConf.ts'
import { type Present, SERVERS_ANNOTATION, settle } from './present.ts'
import { bytesOf } from './quantity.ts'
import { CLUSTERED } from './resize.ts'
import { TAKEN_OVER_ANNOTATION } from './takenOver.ts'
import { type BusVersion, canFence, canSync } from './versions.ts'

export interface JetstreamInput {
  bus: NativeBus
  uid?: string | undefined
  settings: Settings
  /** What is already there: not all of it can be changed. Undefined: nothing is. */
  present?: Present | undefined
  /** What its servers run now; undefined: there are none. */
  running?: Running | undefined
  /** The older version that its owner allows by annotation. */
  downgradeTo?: string | undefined
  /** What {@link takenOver} says; null or left out: its servers are ours. */
  takenOver?: string | null
  /** The key of its Secret that holds the encryption key of before, by annotation. */
  previousKey?: string | undefined
}

/** On an EventBus: see {@link JetstreamInput.previousKey}. */
export const PREVIOUS_KEY_ANNOTATION = 'vedette.dev/nats-previous-key'
const PREVIOUS_KEY = 'JS_KEY_PREVIOUS'

/**
 * With the key of the Secret when the bus is made here; one that upstream made goes on as it is, unless it is a lone server of a version that upstream does not
 * have and that starts anew. @throws SPEC_INVALID for an unknown version
 */
export function encryptionOf(input: JetstreamInput): Encryption {
  const { running, previousKey, takenOver = null } = input
  const { replicas } = planOf(input)
  const alone = Math.max(replicas, running?.replicas ?? 0) < CLUSTERED
  const previous = alone && previousKey !== undefined ? PREVIOUS_KEY : undefined
  if (running?.encryption === 'key') return { kind: 'key', previous }
  const canChange = takenOver === null && (running === undefined || alone) && canFence(versionOf(input).images) === true
  return canChange ? { kind: 'key', previous } : { kind: 'constant' }
}

/** @throws SPEC_INVALID for an unknown version */
export function versionOf({ bus, settings, running, downgradeTo }: JetstreamInput): Choice {
  const { version = '' } = bus.spec.jetstream
  return choose(version, settings.jetstream.versions, running, downgradeTo)
}

/** The parts of `spec.jetstream` as their defaults make them. */
export interface Plan {
  replicas: number
  /** Each server has a PersistentVolumeClaim. */
  persistent: boolean
  /** Of the disks that there are; null: none is there yet, or none will be. */
  disks: Disks | null
  /** What of the object is not carried out, each with its reason. */
  refused: string[]
  /** Stream settings, members lower-cased. */
  stream: Record<string, unknown>
}

const DEFAULT_REPLICAS = 3
/** From this many on the servers have a quorum that outlives one of them. */
const HIGHLY_AVAILABLE = CLUSTERED
/** What is left is for the file system and the server's own records. */
const USABLE = 0.95
/** Of Pods whose server must start anew because its disk has another size than it was made with. */
const STORE_ANNOTATION = 'vedette.dev/file-store'

/** @throws SPEC_INVALID when `streamConfig` is not YAML */
export function planOf({ bus, settings, present }: JetstreamInput): Plan {
  const spec = bus.spec.jetstream
  const { replicas, disks, refused } = settle(bus, wantedServers(bus), present)
  const stream: Record<string, unknown> = {}
  for (const text of [settings.jetstream.streamConfig, spec.streamConfig]) {
    for (const [key, value] of Object.entries(yamlMap(text))) stream[key.toLowerCase()] = value
  }
  // A lone server holds no stream of three: upstream's Pods crash until the user has found that out.
  const written = Object.keys(yamlMap(spec.streamConfig)).some((key) => key.toLowerCase() === 'replicas')
  if (!written && Number(stream.replicas) > replicas) stream.replicas = replicas
  return {
    replicas,
    persistent:
      present === undefined
        ? spec.persistence !== undefined || replicas >= HIGHLY_AVAILABLE
        : present.templates.length > 0,
    disks,
    refused,
    stream,
  }
}

/** How many servers the object asks for. */
export function wantedServers(bus: NativeBus): number {
  return bus.spec.jetstream.replicas ?? DEFAULT_REPLICAS
}

/** What reads `streamConfig`: the same reader as for objects. A text that is no object counts as empty. */
function yamlMap(text: string | undefined): Record<string, unknown> {
  const [document] = text ? parseYaml(text).documents : []
  const value = document === undefined ? {} : plainValue(document)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** Its Secrets are made apart, once: see credentials.ts. @throws SPEC_INVALID for an unknown version */
export function jetstreamObjects(input: JetstreamInput): KubeObject[] {
  const { bus, uid } = input
  const owner: Owner = { kind: 'EventBus', namespace: bus.namespace, name: bus.name, uid }
  const plan = planOf(input)
  const labels = ownerLabels(owner)
  return [
    configMap(owner, input, plan),
    service(owner),
    statefulSet(owner, input, plan),
    ...(input.settings.networkPolicies === 'on' ? [busPolicy(owner, input.settings.home)] : []),
    ...(plan.replicas >= HIGHLY_AVAILABLE ? [disruptionBudget(owner, `eventbus-${bus.name}-js-pdb`, labels)] : []),
  ]
}

export function serviceName(bus: { name: string }): string {
  return `eventbus-${bus.name}-js-svc`
}

export function statefulSetName(bus: { name: string }): string {
  return `eventbus-${bus.name}-js`
}

/** `status.config.jetstream`, as Sensors and upstream's EventSources read it. */
export function jetstreamConfig(bus: NativeBus, plan: Plan) {
  return {
    url: `nats://${serviceName(bus)}.${bus.namespace}.svc:4222`,
    accessSecret: { name: secretNames(bus.name).client, key: 'client-auth' },
    streamConfig: streamConfigText(plan.stream),
  }
}

function configMap(owner: Owner, input: JetstreamInput, plan: Plan): KubeObject {
  const { bus, settings } = input
  const spec = bus.spec.jetstream
  const service = `${serviceName(bus)}.${bus.namespace}.svc`
  // A server that is not to start anew refuses to read a configuration in which these differ, and with it any other change, such as a password.
  const asItRuns = typeof input.takenOver === 'string'
  const store = asItRuns ? null : storeBytes(spec, plan)
  const hosts = Array.from({ length: plan.replicas }, (_, i) => `${statefulSetName(bus)}-${i}.${service}`)
  const conf = natsConf({
    cluster: bus.name,
    hosts,
    maxPayload: spec.maxPayload || '1MB',
    encryption: encryptionOf(input),
    syncs: !asItRuns && canSync(versionOf(input).images) !== false,
    settings: spec.settings || fitting(settings.jetstream.settings, store),
  })
  return owned(owner, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `eventbus-${bus.name}-js-config` },
    data: { 'nats-js': conf },
  })
}

/** How much a server may store; null: its disk has no size that is known, or it has none. */
function storeBytes(spec: NativeSpec, { persistent, disks }: Plan): number | null {
  if (!persistent) return null
  const bytes = disks === null ? bytesOf(spec.persistence?.volumeSize ?? DEFAULT_VOLUME) : disks.bytes
  return bytes === null ? null : Math.floor(bytes * USABLE)
}

/** The server's limit no larger than its disk: full is an answer then, and not a failed write. */
function fitting(settings: string, bytes: number | null): string {
  return bytes === null ? settings : settings.replace(/^max_file_store:.*$/m, `max_file_store: ${bytes}`)
}

/** nats-server reads a changed limit only when it starts: servers whose disks grew are restarted, one after the other. */
function regrown(spec: NativeSpec, plan: Plan, present: Present | undefined): Record<string, string> {
  const bytes = storeBytes(spec, plan)
  const made = bytesOf(present?.templates[0]?.spec.resources?.requests?.storage)
  if (bytes === null || made === null || spec.settings || bytes <= Math.floor(made * USABLE)) return {}
  return { [STORE_ANNOTATION]: `${bytes}` }
}

const ports = { 'tcp-client': 4222, cluster: 6222, metrics: 7777, monitor: 8222 }

function service(owner: Owner): KubeObject {
  return owned(owner, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: serviceName(owner) },
    spec: {
      type: 'ClusterIP',
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      ports: Object.entries(ports).map(([name, port]) => ({ name, port })),
      selector: ownerLabels(owner),
    },
  })
}

function statefulSet(owner: Owner, input: JetstreamInput, plan: Plan): KubeObject {
  const { bus, settings, present, takenOver = null } = input
  const spec = bus.spec.jetstream
  const labels = ownerLabels(owner)
  // Those differ between a lone server and one of a cluster, which must start anew to become the other: never between numbers of a cluster.
  const spread = plan.replicas >= HIGHLY_AVAILABLE
  // Immutable, and its API server knows better than we how it looks.
  const templates = present?.templates ?? [claim(`${statefulSetName(bus)}-vol`, spec.persistence ?? {})]
  return owned(owner, {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      name: statefulSetName(bus),
      labels: { ...bus.labels, ...labels },
      annotations: {
        [SERVERS_ANNOTATION]: `${plan.replicas}`,
        ...(takenOver === null ? {} : { [TAKEN_OVER_ANNOTATION]: takenOver }),
        ...(encryptionOf(input).kind === 'key' ? { [ENCRYPTION_ANNOTATION]: 'key' } : {}),
      },
    },
    spec: compact({
      podManagementPolicy: 'Parallel',
      replicas: plan.replicas,
      serviceName: serviceName(bus),
      selector: { matchLabels: labels },
      // A lone server without a disk forgets every event when its Pod is replaced: only its user may decide that.
      updateStrategy: {
        type: takenOver !== null || (plan.replicas === 1 && !plan.persistent) ? 'OnDelete' : 'RollingUpdate',
      },
      template: {
        metadata: compact({
          labels: { ...spec.metadata?.labels, ...labels },
          annotations: { ...spec.metadata?.annotations, ...regrown(spec, plan, present) },
        }),
        spec: compact({
          shareProcessNamespace: true,
          terminationGracePeriodSeconds: 60,
          automountServiceAccountToken: spec.serviceAccountName ? undefined : false,
          serviceAccountName: spec.serviceAccountName,
          nodeSelector: spec.nodeSelector,
          tolerations: spec.tolerations,
          imagePullSecrets: spec.imagePullSecrets,
          priorityClassName: spec.priorityClassName || (spread ? settings.jetstream.priorityClassName : undefined),
          priority: spec.priority,
          affinity: spec.affinity ?? (spread ? antiAffinity(labels) : undefined),
          topologySpreadConstraints: spread ? topologySpread(labels, { revisions: false }) : undefined,
          securityContext: podSecurity({ ...natsUser, ...membersOf(spec.securityContext) }),
          containers: containers(input, plan.persistent ? templates[0]!.metadata.name : 'js-data'),
          volumes: volumes(bus, plan.persistent),
        }),
      },
      volumeClaimTemplates: plan.persistent ? templates : undefined,
    }),
  })
}

/** The images run as root unless told otherwise; the group makes a volume that root filled theirs. */
const natsUser = { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, fsGroupChangePolicy: 'OnRootMismatch' }

function claim(name: string, { accessMode, volumeSize, storageClassName }: Persistence): ClaimTemplate {
  const typed = { apiVersion: 'v1', kind: 'PersistentVolumeClaim' }
  return {
    ...typed,
    metadata: { name },
    spec: compact({
      accessModes: [accessMode || 'ReadWriteOnce'],
      volumeMode: 'Filesystem',
      storageClassName,
      resources: { requests: { storage: volumeSize ?? DEFAULT_VOLUME } },
    }),
  }
}

function containers(input: JetstreamInput, dataVolume: string): object[] {
  const { bus, previousKey } = input
  const spec = bus.spec.jetstream
  const encryption = encryptionOf(input)
  const previous = encryption.kind === 'key' ? encryption.previous : undefined
  const version: BusVersion = versionOf(input).images
  const configured = (template: NativeSpec['containerTemplate'] = {}) => ({
    imagePullPolicy: template.imagePullPolicy,
    resources: template.resources,
    securityContext: containerSecurity(membersOf(template.securityContext)),
  })
  const config = { name: 'config-volume', mountPath: CONFIG_DIR }
  const pid = { name: 'pid', mountPath: '/var/run/nats' }
  const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } })
  const secret = (key: string) => ({ valueFrom: { secretKeyRef: { name: secretNames(bus.name).server, key } } })
  const http = (path: string) => ({ httpGet: { path, port: 8222 }, initialDelaySeconds: 10, timeoutSeconds: 5 })
  const main = compact({
    name: 'main',
    image: version.natsImage,
    command: [version.startCommand, '--config', `${CONFIG_DIR}/nats-js.conf`],
    args: list(spec.startArgs),
    ports: [
      { name: 'client', containerPort: 4222 },
      { name: 'cluster', containerPort: 6222 },
      { name: 'monitor', containerPort: 8222 },
    ],
    env: [
      { name: 'POD_NAME', ...field('metadata.name') },
      { name: 'SERVER_NAME', value: '$(POD_NAME)' },
      { name: 'POD_NAMESPACE', ...field('metadata.namespace') },
      { name: 'CLUSTER_ADVERTISE', value: `$(POD_NAME).${serviceName(bus)}.$(POD_NAMESPACE).svc` },
      { name: 'JS_KEY', ...secret('encryption') },
      ...(previous === undefined ? [] : [{ name: previous, ...secret(previousKey!) }]),
    ],
    volumeMounts: [config, pid, { name: dataVolume, mountPath: DATA_DIR }],
    startupProbe: { ...http('/healthz'), failureThreshold: 30 },
    livenessProbe: { ...http('/'), periodSeconds: 30 },
    readinessProbe: { ...http('/healthz'), periodSeconds: 5 },
    lifecycle: { preStop: { exec: { command: [version.startCommand, `-sl=ldm=${PID_FILE}`] } } },
    ...configured(spec.containerTemplate),
  })
  const reloader = compact({
    name: 'reloader',
    image: version.configReloaderImage,
    args: ['-pid', PID_FILE, '-config', `${CONFIG_DIR}/nats-js.conf`],
    volumeMounts: [config, pid],
    ...configured(spec.reloaderContainerTemplate),
  })
  const metrics = compact({
    name: 'metrics',
    image: version.metricsExporterImage,
    ports: [{ name: 'metrics', containerPort: 7777 }],
    args: [
      ...'-connz -routez -subz -varz -prefix=nats -use_internal_server_id -jsz=all'.split(' '),
      'http://localhost:8222',
    ],
    ...configured(spec.metricsContainerTemplate),
  })
  return [main, reloader, metrics]
}

function volumes(bus: NativeBus, persistent: boolean): object[] {
  const item = (key: string, path: string) => ({ key, path })
  const files = [
    item('auth', 'auth.conf'),
    item('private-key', 'server-key.pem'),
    item('cert', 'server-cert.pem'),
    item('ca-cert', 'ca-cert.pem'),
    item('cluster-private-key', 'cluster-server-key.pem'),
    item('cluster-cert', 'cluster-server-cert.pem'),
    item('cluster-ca-cert', 'cluster-ca-cert.pem'),
  ]
  const sources = [
    { configMap: { name: `eventbus-${bus.name}-js-config`, items: [item('nats-js', 'nats-js.conf')] } },
    { secret: { name: secretNames(bus.name).server, items: files } },
  ]
  return [
    { name: 'pid', emptyDir: {} },
    { name: 'config-volume', projected: { sources } },
    ...(persistent ? [] : [{ name: 'js-data', emptyDir: {} }]),
  ]
}
