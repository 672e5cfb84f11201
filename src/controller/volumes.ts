/** The volumes of EventSource and Sensor Pods: names, paths and order are upstream's (reconciler/eventsource/resource.go:206-331). */
import { mountedFor } from '../buses/index.ts'
import type { BusConfig } from './busConfig.ts'
import { compact } from './objects.ts'
import { type Reference, referencesIn } from './references.ts'

export interface Volumes {
  volumes: Named[]
  mounts: Mount[]
}
interface Named {
  name: string
  [source: string]: unknown
}
interface Mount {
  name: string
  mountPath: string
  readOnly?: boolean
}

/** @param specs where Secrets and ConfigMaps are referred to */
export function volumesOf(bus: BusConfig, specs: unknown[]): Volumes {
  const made: Volumes = { volumes: [{ name: 'tmp', emptyDir: {} }], mounts: [{ name: 'tmp', mountPath: '/tmp' }] }
  const add = (wanted: string, source: object, mountPath: string, readOnly = false) => {
    // `a.b` and `a-b` are two Secrets, and one label.
    let name = wanted
    for (let i = 2; made.volumes.some((volume) => volume.name === name); i++) name = `${wanted.slice(0, 60)}-${i}`
    made.volumes.push({ name, ...source })
    made.mounts.push({ name, mountPath, ...(readOnly ? { readOnly } : {}) })
  }
  const { access, keys: someKeys, whole } = mountedFor(bus)
  if (access !== undefined) {
    const items = [{ key: access.key, path: 'auth.yaml' }]
    add('auth-volume', { secret: { secretName: access.name, items } }, '/etc/eventbus/auth')
  }
  const { secrets, configMaps } = referencesIn(...specs, whole)
  for (const [name, { keys }] of referencesIn(someKeys).secrets) {
    // The same path twice would be refused by the API server: the EventSource's own mount holds all keys.
    if (secrets.has(name)) continue
    const items = keys.map((key) => ({ key, path: key }))
    add(dnsLabel(name), { secret: { secretName: name, items, optional: false } }, `/argo-events/secrets/${name}`)
  }
  for (const [name, reference] of secrets) {
    const secret = compact({ secretName: name, ...optionalOf(reference) })
    add(dnsLabel(`secret-${name}`), { secret }, `/argo-events/secrets/${name}`, true)
  }
  for (const [name, reference] of configMaps) {
    const configMap = compact({ name, ...optionalOf(reference) })
    add(dnsLabel(`cm-${name}`), { configMap }, `/argo-events/config/${name}`, true)
  }
  return { volumes: made.volumes.sort(byName), mounts: made.mounts.sort(byName) }
}

function optionalOf({ optional }: Reference): { optional?: true } {
  return optional ? { optional } : {}
}

/** Upstream's names, made into what a volume may be called (it makes some that the API refuses). */
function dnsLabel(name: string): string {
  const label = name.toLowerCase().replace(/[^a-z0-9-]/g, '-')
  return label.slice(0, 63).replace(/^-+|-+$/g, '')
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
