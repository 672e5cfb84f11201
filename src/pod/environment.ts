/**
 * What a Pod is told by its environment, as Argo Events' controller sets it: the EventSource and the bus's address as base64 of JSON,
 * and who this Pod is. Read once.
 */
import { isUtf8 } from 'node:buffer'
import { configKeys, definitionOf, kindOfConfig } from '../buses/index.ts'
import { parseDurationMs } from '../core/duration.ts'
import { fail, messageOf } from '../core/errors.ts'
import type { LogLevel } from '../core/log.ts'
import type { LeaseTiming } from '../ha/lock.ts'
import { leaseTiming, leaseTimingDefaults } from '../ha/timing.ts'
import { diagnosticLine, loadManifest } from '../manifest/load.ts'
import type { Diagnostic, EventBus, EventSource } from '../manifest/manifest.ts'
import { type ListenerSettings, listenerSettings } from '../runtime/http/settings.ts'

export type Environment = Record<string, string | undefined>

export interface PodEnvironment {
  source: EventSource
  /** `EVENTBUS_CONFIG` as the EventBus that it comes from; `jetstream` there, native or not, is `jetstreamExotic` here: an address. */
  bus: EventBus
  /** `POD_NAME`: the replica id. */
  podName: string
  /** `POD_IP`, where it is set: the other replicas reach this one there. */
  podIp: string | undefined
  /** `LEADER_ELECTION=k8s` (the annotation `events.argoproj.io/leader-election` of the EventSource): elect by a Kubernetes Lease. */
  byKubernetes: boolean
  /** `LEADER_ELECTION_LEASE_DURATION` and its like; undefined when none is set. */
  timing: LeaseTiming | undefined
  /** `TZ`. */
  localZone: string | undefined
  /** In Kubernetes, where requests still come for a while after a Pod was told to end. */
  inKubernetes: boolean
  /** `TRUSTED_PROXIES`, `FORWARDED_HEADER`, `LISTENER_LIMITS`. */
  listeners: ListenerSettings
  /** What is wrong with entries, and what cannot work: those entries are not served, the others are. */
  findings: Diagnostic[]
}

const TIMING = {
  leaseMs: 'LEADER_ELECTION_LEASE_DURATION',
  renewDeadlineMs: 'LEADER_ELECTION_RENEW_DEADLINE',
  retryMs: 'LEADER_ELECTION_RETRY_PERIOD',
} as const

/** `LOG_LEVEL`; unknown words mean `info`, as upstream has it. */
export function logLevelOf({ LOG_LEVEL }: Environment): LogLevel {
  return LOG_LEVEL === 'debug' || LOG_LEVEL === 'warn' || LOG_LEVEL === 'error' ? LOG_LEVEL : 'info'
}

/** @throws SPEC_INVALID naming the variable, what is wrong with it, and the remedy; never its value, which may hold secrets */
export async function readEnvironment(env: Environment): Promise<PodEnvironment> {
  const podName = env.POD_NAME ?? ''
  if (podName === '') throw wrong('POD_NAME', 'is not set', 'give it metadata.name by a fieldRef')
  const object = decoded(env, 'EVENTSOURCE_OBJECT', 'the EventSource: {"metadata":{"name":…,"namespace":…},"spec":{…}}')
  const { source, findings } = await readSource(object, env.NAMESPACE)
  const bus = await readBus(
    decoded(env, 'EVENTBUS_CONFIG', 'the EventBus\'s status.config: {"jetstream":{"url":…}}'),
    source,
  )
  return {
    source,
    bus,
    podName,
    podIp: env.POD_IP || undefined,
    byKubernetes: env.LEADER_ELECTION?.toLowerCase() === 'k8s',
    timing: timingOf(env),
    localZone: env.TZ || undefined,
    inKubernetes: (env.KUBERNETES_SERVICE_HOST ?? '') !== '',
    listeners: listenersOf(env),
    findings,
  }
}

const LISTENERS = {
  trustedProxies: 'TRUSTED_PROXIES',
  forwardedHeader: 'FORWARDED_HEADER',
  limits: 'LISTENER_LIMITS',
} as const

/** @throws USAGE naming the variable */
function listenersOf(env: Environment): ListenerSettings {
  const { trustedProxies, forwardedHeader, limits } = LISTENERS
  return listenerSettings(
    { trustedProxies: env[trustedProxies], forwardedHeader: env[forwardedHeader], limits: env[limits] },
    LISTENERS,
  )
}

async function readSource(
  object: Record<string, unknown>,
  namespace: string | undefined,
): Promise<{ source: EventSource; findings: Diagnostic[] }> {
  const variable = 'EVENTSOURCE_OBJECT'
  const metadata = { ...(namespace ? { namespace } : {}), ...(object.metadata as object | undefined) }
  const { manifest, diagnostics } = await load(variable, { ...object, ...kindOf('EventSource'), metadata })
  const [source] = manifest.eventSources
  if (source === undefined)
    throw wrong(variable, `cannot be used:\n${linesOf(diagnostics)}`, 'let the controller write it')
  return { source, findings: diagnostics }
}

async function readBus(config: Record<string, unknown>, { namespace, eventBusName }: EventSource): Promise<EventBus> {
  const variable = 'EVENTBUS_CONFIG'
  const key = configKeys.find((one) => config[one] != null)
  const kind = key === undefined ? undefined : kindOfConfig(key)
  if (key === undefined || kind === undefined) {
    throw wrong(
      variable,
      `is an invalid event bus, it names none of ${configKeys.join(', ')}`,
      'wait until the EventBus is ready',
    )
  }
  const { title, rendered } = definitionOf(kind)
  if (rendered.what === 'nothing') throw wrong(variable, `names ${title}, which is ${rendered.why}`, rendered.instead)
  const { manifest, diagnostics } = await load(variable, {
    ...kindOf('EventBus'),
    metadata: { name: eventBusName, namespace },
    spec: { [kind]: config[key] },
  })
  const [bus] = manifest.eventBuses
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (bus === undefined || errors.length > 0)
    throw wrong(variable, `cannot be used:\n${linesOf(errors)}`, 'correct the EventBus')
  return bus
}

const kindOf = (kind: string) => ({ apiVersion: 'argoproj.io/v1alpha1', kind })

const load = (variable: string, object: object) => loadManifest([{ file: variable, text: JSON.stringify(object) }])

const linesOf = (diagnostics: Diagnostic[]): string => diagnostics.map(diagnosticLine).join('\n')

/** Standard base64, of JSON, of an object. */
function decoded(env: Environment, variable: string, of: string): Record<string, unknown> {
  const remedy = `it must be base64 of the JSON of ${of}`
  const text = env[variable]?.replace(/[\r\n]/g, '') ?? ''
  if (text === '') throw wrong(variable, 'is not set', remedy)
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw wrong(variable, 'is no base64', remedy)
  const bytes = Buffer.from(text, 'base64')
  if (!isUtf8(bytes)) throw wrong(variable, 'is base64 of something that is no text', remedy)
  const value = parsed(bytes.toString())
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw wrong(variable, 'is base64 of something that is no JSON object', remedy)
  }
  return value as Record<string, unknown>
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's words quote the text.
    return null
  }
}

/**
 * The variables that are set, over upstream's defaults.
 * @throws SPEC_INVALID for what is no duration, or does not fit together
 */
function timingOf(env: Environment): LeaseTiming | undefined {
  const timing = { ...leaseTimingDefaults }
  let given = false
  for (const [field, variable] of Object.entries(TIMING) as [keyof LeaseTiming, string][]) {
    const text = env[variable] ?? ''
    if (text === '') continue
    given = true
    timing[field] = checked(variable, () => parseDurationMs(text))
  }
  return given ? checked(Object.values(TIMING).join(', '), () => leaseTiming(timing)) : undefined
}

function checked<T>(variable: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw wrong(variable, `cannot be used: ${messageOf(error)}`, 'write Go durations, for example 5s, 2s and 1s')
  }
}

const wrong = (variable: string, what: string, remedy: string) =>
  fail('SPEC_INVALID', `${variable} ${what}: ${remedy}`, { variable })
