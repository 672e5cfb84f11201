/** Manifests → the objects that the controller would apply for them, without a cluster. */

import { assumed, isNative } from '../buses/index.ts'
import type { KubeObject } from '../kube/resources.ts'
import type { Loaded } from '../manifest/load.ts'
import type { EventBus, EventSource } from '../manifest/manifest.ts'
import { types } from '../sources/index.ts'
import { runningIn } from './eventBus/chosen.ts'
import { secretKeys, secretNames } from './eventBus/credentials.ts'
import { statefulSetName } from './eventBus/jetstream.ts'
import { presentIn } from './eventBus/present.ts'
import { userSecretName } from './eventBus/users.ts'
import { type PlannedBus, planBus } from './eventBus.ts'
import { eventSourceObjects } from './eventSource.ts'
import { LOGIN_KEY, withOwnLogin } from './ownLogin.ts'
import { refusedPods, refusedText } from './podRules.ts'
import { sensorObjects } from './sensor.ts'
import type { Settings } from './settings.ts'

export interface Rendered {
  objects: KubeObject[]
  /** For people: what is not among the objects, and why. */
  notes: string[]
}

export function render({ manifest, diagnostics }: Loaded, settings: Settings): Rendered {
  const rendered: Rendered = { objects: [], notes: [] }
  const live = manifest.skipped.filter(({ kind }) => kind === 'StatefulSet').map(({ object }) => object as KubeObject)
  const buses = new Map(manifest.eventBuses.map((bus) => [key(bus), renderBus(bus, settings, live, rendered)]))
  for (const source of manifest.eventSources) {
    const { ours, ownLogins } = busOf('EventSource', source, buses, settings, rendered)
    const bus = ours !== null && ownLogins ? withOwnLogin(ours, source) : ours
    const missing = missingTypes(source)
    if (missing.length > 0) {
      rendered.notes.push(
        `EventSource ${source.name}: ${missing.join(', ')} is not in this version: nothing is applied`,
      )
    } else if (bus !== null) {
      add(`EventSource ${source.name}`, eventSourceObjects({ source, bus, settings }), settings, rendered)
      if (ownLogins)
        rendered.notes.push(
          `Secret ${userSecretName(source.eventBusName, source.name)}: made in the cluster, with ${LOGIN_KEY}`,
        )
    }
  }
  for (const { kind, name, object } of manifest.skipped) {
    if (kind === 'StatefulSet') continue
    if (kind !== 'Sensor' || settings.sensorImage === null) rendered.notes.push(`${kind} ${name}: left out`)
    else renderSensor(object as KubeObject, buses, settings, rendered)
  }
  if (manifest.eventSources.length > 0)
    rendered.notes.push(
      `the image of EventSource Pods is "${settings.image}" here; the one of your install is that of its Deployment controller-manager`,
    )
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length
  if (errors > 0) rendered.notes.push(`${errors} errors: the controller would apply nothing for these objects`)
  return rendered
}

/** Unless its Pods are not allowed. */
function add(what: string, objects: KubeObject[], { pods }: Settings, rendered: Rendered): void {
  const refused = refusedPods(objects, pods)
  if (refused.length === 0) rendered.objects.push(...objects)
  else rendered.notes.push(`${what}: ${refusedText(refused, pods)}`)
}

/** Types of entries that this version does not have. */
export function missingTypes({ entries }: EventSource): string[] {
  return [...new Set(entries.map(({ type }) => type).filter((type) => !types.includes(type)))]
}

/** @param live StatefulSets of the cluster: what is there keeps the kind of storage that it has */
function renderBus(bus: EventBus, settings: Settings, live: KubeObject[], { objects, notes }: Rendered): PlannedBus {
  const own = live.find(({ metadata: { namespace = 'default', name } }) => {
    return namespace === bus.namespace && name === statefulSetName(bus)
  })
  const present = own === undefined ? undefined : presentIn(own)
  const plan = planBus({ bus, settings, present, running: runningIn(own, {}) })
  add(`EventBus ${bus.name}`, plan.objects, settings, { objects, notes })
  if (own === undefined && plan.objects.some(({ spec }) => (spec as Claiming | undefined)?.volumeClaimTemplates))
    notes.push(
      `EventBus ${bus.name}: shown with disks; servers that are there without stay so: to compare with a cluster, give its StatefulSets too`,
    )
  if (plan.objects.length > 0) {
    if (isNative(bus) && bus.spec.jetstream.version === 'latest')
      notes.push(`EventBus ${bus.name}: servers that are there already keep their version`)
    for (const which of ['server', 'client'] as const) {
      notes.push(`Secret ${secretNames(bus.name)[which]}: made in the cluster, with ${secretKeys[which].join(', ')}`)
    }
  }
  for (const { type, status, message } of plan.conditions) {
    if (status !== 'True' || type === 'AtRisk' || type === 'FencingLeaseOnly') {
      notes.push(`EventBus ${bus.name}: ${type}: ${message}`)
    }
  }
  return plan
}

interface Claiming {
  volumeClaimTemplates?: unknown[]
}

function renderSensor(
  sensor: KubeObject,
  buses: Map<string, PlannedBus>,
  { sensorImage, ...settings }: Settings,
  rendered: Rendered,
): void {
  const { name, namespace = 'default' } = sensor.metadata
  const source = {
    namespace,
    name,
    eventBusName: (sensor.spec as { eventBusName?: string } | undefined)?.eventBusName || 'default',
  }
  const bus = busOf('Sensor', source, buses, { sensorImage, ...settings }, rendered).config
  const { imagePullPolicy, pods } = settings
  if (bus === null) return
  const objects = sensorObjects({ sensor, bus, image: sensorImage!, imagePullPolicy, level: pods.level })
  add(`Sensor ${name}`, objects, { sensorImage, ...settings }, rendered)
}

function busOf(
  kind: string,
  { namespace, name, eventBusName }: { namespace: string; name: string; eventBusName: string },
  buses: Map<string, PlannedBus>,
  settings: Settings,
  { notes }: Rendered,
): PlannedBus {
  const planned = buses.get(key({ namespace, name: eventBusName }))
  if (planned !== undefined) {
    if (planned.ours === null) notes.push(`${kind} ${name}: waits for EventBus ${eventBusName}`)
    return planned
  }
  notes.push(`${kind} ${name}: no EventBus ${eventBusName} in the files; shown as on a native JetStream bus`)
  const place = { file: '', line: 0, column: 0 }
  return planBus({ bus: { ...assumed, namespace, name: eventBusName, labels: {}, place }, settings })
}

function key({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`
}
