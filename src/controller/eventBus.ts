/** EventBus → what it needs in the cluster, what its users are told of it, and what its own status should say. Pure. */
import { renderingOf } from '../buses/index.ts'
import { isVedetteError } from '../core/errors.ts'
import type { KubeObject } from '../kube/resources.ts'
import type { EventBus } from '../manifest/manifest.ts'
import type { BusConfig } from './busConfig.ts'
import { type Condition, condition, warning } from './conditions.ts'
import { secretNames } from './eventBus/credentials.ts'
import {
  encryptionOf,
  type JetstreamInput,
  jetstreamConfig,
  jetstreamObjects,
  type Plan,
  planOf,
  versionOf,
} from './eventBus/jetstream.ts'
import { keptServers } from './eventBus/takenOver.ts'
import type { BusVersion } from './eventBus/versions.ts'
import { canFence, fencingVersion } from './eventBus/versions.ts'

export interface PlannedBus {
  /** In the order in which they are applied; Secrets with random content are not among them. */
  objects: KubeObject[]
  /** `status.config`, upstream's; null: no bus. */
  config: BusConfig | null
  /** What our own Pods are told: the same, and with which authority its certificates are checked. */
  ours: BusConfig | null
  conditions: Condition[]
  /** Each EventSource has a login of its own there: on native buses whose servers are ours. */
  ownLogins: boolean
  /** Of a native bus: what was decided about it. */
  plan?: Plan
}

export type BusInput = Omit<JetstreamInput, 'bus'> & { bus: EventBus }

/** Condition of a bus of which something is not carried out. */
export const CHANGE_REFUSED = 'ChangeRefused'

export function planBus(input: BusInput): PlannedBus {
  const rendering = renderingOf(input.bus)
  if (rendering.what === 'servers') return native({ ...input, bus: rendering.bus })
  const configured = condition('Configured', 'True')
  const none = { objects: [], config: null, ours: null, ownLogins: false }
  if (rendering.what === 'nothing') {
    return { ...none, conditions: [configured, condition('Deployed', 'False', rendering.reason, rendering.message)] }
  }
  const exotic = condition('Deployed', 'True', 'Skipped', 'Skip deployment because of using exotic config.')
  const { config } = rendering
  return { ...none, config, ours: config, conditions: [configured, exotic] }
}

function native(input: JetstreamInput): PlannedBus {
  const { bus, settings } = input
  try {
    const plan = planOf(input)
    const jetstream = jetstreamConfig(bus, plan)
    const tls = { caCertSecret: { name: secretNames(bus.name).server, key: 'ca-cert' } }
    const { images, conditions } = versionOf(input)
    return {
      objects: jetstreamObjects(input),
      plan,
      config: { jetstream },
      ours: { jetstream: { ...jetstream, tls } },
      ownLogins: typeof input.takenOver !== 'string',
      conditions: [
        condition('Configured', 'True'),
        condition('Deployed', 'True', 'Succeeded', 'JetStream is deployed'),
        ...conditions,
        ...(typeof input.takenOver === 'string' ? [keptServers()] : []),
        ...encryption(input),
        ...risks(plan),
        ...refusals(plan.refused),
        ...fencing(images, fencingVersion(settings.jetstream.versions), plan),
      ],
    }
  } catch (error) {
    if (!isVedetteError(error, 'SPEC_INVALID')) throw error
    const conditions = [condition('Configured', 'False', 'InvalidSpec', error.message)]
    return { objects: [], config: null, ours: null, ownLogins: false, conditions }
  }
}

/** Upstream's advice for production. */
function risks({ replicas, persistent, stream }: Plan): Condition[] {
  const copies = Number(stream.replicas ?? 1)
  const found = [
    ...(replicas < 3 ? [`${replicas} replica: no event gets in while it restarts; write replicas: 3`] : []),
    ...(persistent ? [] : ['no persistence: events are gone when the Pods are; make a bus with persistence']),
    ...(copies > replicas ? [`streamConfig asks for ${copies} copies on ${replicas}: no stream can be made`] : []),
    ...(copies < 3 && replicas >= 3 ? [`streamConfig keeps ${copies} of each event; write replicas: 3 there`] : []),
  ]
  return found.length === 0 ? [] : [warning('AtRisk', 'NotHighlyAvailable', found.join('; '))]
}

/** Upstream's disks are encrypted with what everybody knows. */
function encryption(input: JetstreamInput): Condition[] {
  const how = encryptionOf(input)
  if (how.kind === 'key') return how.previous !== undefined || input.previousKey === undefined ? [] : [NO_PREVIOUS_KEY]
  const { server } = secretNames(input.bus.name)
  const message = `what is on the disks is encrypted with the text "$JS_KEY", as Argo Events has it, and not with the key of Secret ${server}: see docs/migrate.md for when that changes`
  return [warning('EncryptedByConstant', 'KeyNotUsed', message)]
}

const NO_PREVIOUS_KEY = warning(
  'PreviousKeyIgnored',
  'ServersOfACluster',
  'the servers of a cluster cannot read their logs with a key of before: rotate it one server after another, see docs/kubernetes.md',
)

/** What was asked for and would lose events, or cannot be: everything else of the object is carried out. */
export function refusals(refused: readonly string[]): Condition[] {
  return refused.length === 0 ? [] : [warning(CHANGE_REFUSED, 'KeptAsItRuns', refused.join('; '))]
}

/** A fence needs atomic batches and a stream that keeps what was read. @param better a version that has them */
function fencing(images: BusVersion, better: string, { stream }: Plan): Condition[] {
  const can = canFence(images)
  const why =
    can === false
      ? `${images.natsImage} has no atomic batches; write spec.jetstream.version: "${better}" once nothing of Argo Events' controller is to come back: older servers cannot read what newer ones have written`
      : can === undefined
        ? `${images.natsImage} does not say its version; give its tag one (2.12 or newer)`
        : Number(stream.retention ?? 0) !== 0
          ? 'streamConfig.retention is not 0'
          : null
  const message = `lease-only: the bus may not be able to refuse the writes of a deposed leader: ${why}`
  return why === null ? [] : [warning('FencingLeaseOnly', 'FenceNotPossible', message)]
}

/** The conditions that decide whether a bus can be used: upstream's two. The others are advice. */
export function isReady(conditions: Pick<Condition, 'type' | 'status'>[]): boolean {
  const decisive = conditions.filter(({ type }) => type === 'Configured' || type === 'Deployed')
  return decisive.length > 0 && decisive.every(({ status }) => status === 'True')
}
