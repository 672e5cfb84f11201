/** The login of one EventSource at a native bus, and what of it can be seen on Pods. Pure. */
import type { KubeObject } from '../kube/resources.ts'
import type { EventSource } from '../manifest/manifest.ts'
import { busUses, type NatsPermissions, natsPermissions } from '../runtime/natsPermissions.ts'
import type { BusConfig } from './busConfig.ts'
import { userSecretName } from './eventBus/users.ts'

export const LOGIN_KEY = 'client-auth'

/** What the Pods of an EventSource are told of its bus when they have a login of their own. */
export function withOwnLogin(bus: BusConfig, { name, eventBusName }: EventSource): BusConfig {
  const accessSecret = { name: userSecretName(eventBusName, name), key: LOGIN_KEY }
  return { ...bus, jetstream: { ...bus.jetstream!, accessSecret } }
}

/** What its user may do; entries that are not served need nothing, and a name that is no subject would spoil the servers' configuration. */
export async function permissionsOf(source: EventSource): Promise<NatsPermissions> {
  const served = source.entries.filter(({ name, refused }) => refused === undefined && /^[^\s.*>\p{C}]+$/u.test(name))
  return natsPermissions(source, await busUses(served))
}

interface PodSpec {
  volumes?: { secret?: { secretName?: string } }[]
  containers?: { name: string; image?: string; env?: { name: string; value?: string }[] }[]
}

/** Of a Pod, or of the Pods of a Deployment. */
export function podSpecOf({ spec }: KubeObject): PodSpec {
  return ((spec as { template?: { spec?: object } } | undefined)?.template?.spec ?? spec ?? {}) as PodSpec
}

export function mounts({ volumes = [] }: PodSpec, secretName: string): boolean {
  return volumes.some(({ secret }) => secret?.secretName === secretName)
}

/** What they were told to serve, as it was encoded, and by which program. */
export function servedBy({ containers = [] }: PodSpec): { object: string | undefined; image: string | undefined } {
  const main = containers.find(({ name }) => name === 'main')
  return { object: main?.env?.find(({ name }) => name === 'EVENTSOURCE_OBJECT')?.value, image: main?.image }
}
