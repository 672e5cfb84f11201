/** The EventBus object: shape and rules of upstream's validator (first match of its installer decides the kind). */
import { z } from 'zod'
import { SASL_MECHANISMS } from '../clients/kafka.ts'
import { decode } from './decode.ts'
import type { EventBus } from './manifest.ts'
import type { Notes } from './notes.ts'
import { readHead } from './objects.ts'
import { kindOf, type MapNode, nodeAt, type Path, quote } from './tree.ts'

const text = z.string().optional()
const whole = z.int32().optional()
const native = z.unknown().optional()
const natives = z.array(z.unknown()).optional()
const strings = z.record(z.string(), z.string()).optional()
const selector = z.object({ name: text, key: text, optional: z.boolean().optional() }).optional()
const metadata = z.object({ annotations: strings, labels: strings }).optional()
const containerTemplate = z.object({ resources: native, imagePullPolicy: text, securityContext: native }).optional()
const persistence = z.object({ storageClassName: text, accessMode: text, volumeSize: native }).optional()
const tls = z
  .object({
    caCertSecret: selector,
    clientCertSecret: selector,
    clientKeySecret: selector,
    insecureSkipVerify: z.boolean().optional(),
    enabled: z.boolean().optional(),
  })
  .optional()

const pods = {
  containerTemplate,
  metricsContainerTemplate: containerTemplate,
  persistence,
  metadata,
  nodeSelector: strings,
  tolerations: natives,
  securityContext: native,
  imagePullSecrets: natives,
  priorityClassName: text,
  priority: whole,
  affinity: native,
  serviceAccountName: text,
  maxPayload: text,
}

export const eventBusFields = z.object({
  nats: z
    .object({
      native: z
        .object({
          ...pods,
          replicas: whole,
          auth: text,
          maxAge: text,
          maxMsgs: z.int().nonnegative().optional(),
          maxBytes: text,
          maxSubs: z.int().nonnegative().optional(),
          raftHeartbeatTimeout: text,
          raftElectionTimeout: text,
          raftLeaseTimeout: text,
          raftCommitTimeout: text,
        })
        .optional(),
      exotic: z.object({ url: text, clusterID: text, auth: text, accessSecret: selector }).optional(),
    })
    .optional(),
  jetstream: z
    .object({
      ...pods,
      version: text,
      replicas: whole,
      reloaderContainerTemplate: containerTemplate,
      settings: text,
      startArgs: z.array(z.string()).optional(),
      streamConfig: text,
    })
    .optional(),
  kafka: z
    .object({
      url: text,
      topic: text,
      version: text,
      tls,
      sasl: z.object({ mechanism: text, userSecret: selector, passwordSecret: selector }).optional(),
      consumerGroup: z.object({ groupName: text, oldest: z.boolean().optional(), rebalanceStrategy: text }).optional(),
      partitioner: text,
    })
    .optional(),
  jetstreamExotic: z.object({ url: text, accessSecret: selector, streamConfig: text, tls }).optional(),
})
type Spec = z.infer<typeof eventBusFields>

/** Null when it cannot be told what kind of bus it is; that has been noted. */
export function readEventBus(root: MapNode, notes: Notes): EventBus | null {
  const { name, namespace, labels } = readHead(root, 'EventBus', ['spec', 'status'], notes)
  const node = nodeAt(root, ['spec'])
  if (node !== undefined && node.kind !== 'map' && (node.kind !== 'scalar' || node.value !== null)) {
    notes.add({ severity: 'error', path: ['spec'], message: `must be an object, is ${kindOf(node)}` })
    return null
  }
  const spec = node === undefined ? {} : decode(eventBusFields, node, ['spec'], notes).value
  if (spec === undefined) return null
  checkSpec(spec, notes)
  const kind = (['nats', 'jetstream', 'kafka', 'jetstreamExotic'] as const).find((key) => spec[key] !== undefined)
  return kind === undefined ? null : { namespace, name, labels, kind, spec, place: notes.place(['metadata', 'name']) }
}

function checkSpec(spec: Spec, notes: Notes): void {
  const error = (path: Path, message: string, remedy?: string) =>
    notes.add({ severity: 'error', path: ['spec', ...path], message, remedy })
  const warn = (path: Path, message: string, remedy?: string) =>
    notes.add({ severity: 'warning', path: ['spec', ...path], message, remedy })
  const { nats, jetstream, kafka, jetstreamExotic } = spec
  const present = Object.entries({ nats, jetstream, kafka, jetstreamExotic }).filter(([, value]) => value !== undefined)
  if (present.length === 0) {
    error([], 'invalid spec: either "nats", "jetstream", "jetstreamExotic", or "kafka" needs to be specified')
  }
  for (const [key] of present.slice(1)) warn([key], `is ignored: ${quote(present[0]![0])} is used`, 'keep one of them')
  if (nats !== undefined) checkNats(nats, error, warn)
  if (jetstream !== undefined) {
    const { version, replicas } = jetstream
    if (!version) error(['jetstream', 'version'], 'invalid spec: a version for jetstream needs to be specified')
    if (replicas !== undefined && (replicas === 2 || replicas <= 0)) {
      const message = 'invalid spec: a jetstream eventbus requires 1 replica or >= 3 replicas'
      error(['jetstream', 'replicas'], message, 'write 1, 3 or 5')
    }
  }
  if (kafka !== undefined) {
    if (!kafka.url) error(['kafka', 'url'], '"spec.kafka.url" is missing', 'write the brokers, e.g. kafka:9092')
    if (kafka.partitioner && !['hash', 'roundrobin', 'manual', 'random'].includes(kafka.partitioner)) {
      warn(['kafka', 'partitioner'], `${quote(kafka.partitioner)} acts as random`, 'write hash, roundrobin or manual')
    }
    const { mechanism, userSecret, passwordSecret } = kafka.sasl ?? {}
    if (mechanism && !SASL_MECHANISMS.some((one) => one === mechanism)) {
      const message = `${quote(mechanism)} is not served, so no event reaches this bus`
      warn(['kafka', 'sasl', 'mechanism'], message, `write ${SASL_MECHANISMS.join(', ')}`)
    }
    if (kafka.sasl !== undefined && (userSecret === undefined || passwordSecret === undefined)) {
      warn(['kafka', 'sasl'], 'it needs userSecret and passwordSecret', 'name the Secrets and their keys')
    }
  }
  if (jetstreamExotic !== undefined && !jetstreamExotic.url) {
    error(['jetstreamExotic', 'url'], '"spec.jetstreamExotic.url" is missing', 'write e.g. nats://nats:4222')
  }
}

type Tell = (path: Path, message: string, remedy?: string) => void

function checkNats({ native, exotic }: NonNullable<Spec['nats']>, error: Tell, warn: Tell): void {
  if (native !== undefined && exotic !== undefined) {
    error(['nats'], '"spec.nats.native" and "spec.nats.exotic" can not be defined together', 'keep one of them')
  }
  if (native === undefined && exotic === undefined) {
    error(['nats'], 'either "native" or "exotic" must be defined', 'write native: {}')
  }
  if (native?.auth && native.auth !== 'none' && native.auth !== 'token') {
    warn(['nats', 'native', 'auth'], `${quote(native.auth)} is not supported`, 'write none or token')
  }
  if (exotic === undefined) return
  if (!exotic.clusterID) error(['nats', 'exotic', 'clusterID'], '"spec.nats.exotic.clusterID" is missing')
  if (!exotic.url) error(['nats', 'exotic', 'url'], '"spec.nats.exotic.url" is missing')
  warn(['nats', 'exotic'], 'NATS Streaming is at its end of life and not supported', 'use jetstreamExotic')
}
