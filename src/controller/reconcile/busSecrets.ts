/** The two Secrets of a native bus: what is missing of them is made, what is there is never replaced, but for the users that are ours. */
import { fail } from '../../core/errors.ts'
import { type KubeObject, resources } from '../../kube/resources.ts'
import { refuseForeign } from '../apply.ts'
import type { StreamAccess } from '../busStream.ts'
import { type Cluster, isOwnedBy, MANAGER } from '../cluster.ts'
import { type Condition, warning } from '../conditions.ts'
import { endOfCertificates } from '../eventBus/certificates.ts'
import { loginOf, mendCredentials, secretNames, secretObject, valuesIn } from '../eventBus/credentials.ts'
import { serviceName, statefulSetName } from '../eventBus/jetstream.ts'
import { usesKey } from '../eventBus/natsConf.ts'
import { type Owner, selectorOf } from '../objects.ts'
import { ensureUsers } from './busUsers.ts'

/** On the server Secret: what was made anew and when. Whoever has read it may take it away. */
export const REMADE_ANNOTATION = 'vedette.dev/remade'

/** What stands in the Secrets, as far as others need to know. */
export interface Ensured {
  /** What the bus's owner should know of them. */
  told: Condition[]
  /** See {@link BusUsers.unsettled}. */
  unsettled: boolean
  /** The login that may do everything, and who signs the servers' certificates; null: what is in the Secrets is not understood. */
  access: Pick<StreamAccess, 'login' | 'ca'> | null
}

/**
 * @param ownLogins whether each EventSource is to have a user: else those that there are stay
 * @throws SPEC_INVALID when the key of what is on the disks is gone, or a Secret of somebody else has the name; as the client
 */
export async function ensureSecrets(cluster: Cluster, owner: Owner, ownLogins: boolean): Promise<Ensured> {
  const { client, clock } = cluster
  const { namespace, name } = owner
  const names = secretNames(name)
  const read = (name: string) => client.get(resources.secrets, { namespace, name })
  const [server, login] = await Promise.all([read(names.server), read(names.client)])
  const found = { server: valuesIn(server), client: valuesIn(login) }
  const running = cluster.statefulSets.get(`${namespace}/${statefulSetName(owner)}`) !== undefined
  const keyless = !found.server?.encryption
  const served = running || (keyless && (await hasDisks(cluster, owner)))
  const keyInUse = served && keyless && (await needsKey(cluster, owner))
  const service = `${serviceName(owner)}.${namespace}.svc`
  const mended = mendCredentials(found, { owner, service, served, keyInUse, now: clock.now() })
  const put = async (made: KubeObject | null, live: KubeObject | null) => {
    if (made === null) return live
    refuseForeign(made, live)
    return await client.apply(resources.secrets, made, { manager: MANAGER })
  }
  await put(mended.client, login)
  // One of somebody else is read, and left as it is.
  const isOurs = server === null || isOwnedBy(server, owner.uid)
  const values = valuesIn(mended.server) ?? found.server!
  const users = ownLogins && isOurs ? await ensureUsers(cluster, owner, values.auth!) : null
  const wanted =
    users === null || users.auth === values.auth
      ? mended.server
      : secretObject(owner, names.server, { ...values, auth: users.auth })
  const now = await put(noted(wanted, mended.remade, server, clock.now()), server)
  if (mended.keyLost) throw fail('SPEC_INVALID', keyLostText(names.server, owner))
  const ends = endOfCertificates(valuesIn(now) ?? {}, names.server, clock.now())
  return {
    told: [
      ...toldOf(now, names.server),
      ...ends,
      ...(users?.conditions ?? []),
      ...(isOurs ? [] : [foreign(names.server)]),
    ],
    unsettled: users?.unsettled === true,
    access: accessIn(valuesIn(mended.client ?? login), values),
  }
}

function foreign(secret: string): Condition {
  const text = `Secret ${secret} was not made for this bus and is left as it is: EventSources share a login`
  return warning('UsersMissing', 'UsersMissing', text)
}

function accessIn(client: Record<string, string> = {}, { 'ca-cert': ca }: Record<string, string>): Ensured['access'] {
  const login = loginOf(client['client-auth'])
  return login === undefined || ca === undefined ? null : { login, ca }
}

/** Disks outlive a StatefulSet that is deleted by mistake. */
async function hasDisks({ client }: Cluster, owner: Owner): Promise<boolean> {
  const { namespace } = owner
  const { items } = await client.list(resources.persistentvolumeclaims, { namespace, labelSelector: selectorOf(owner) })
  // One that is being deleted has been given up.
  return items.some(({ metadata }) => metadata.deletionTimestamp === undefined)
}

/** Whether the servers were told to use the key. Without their configuration: it may be. */
async function needsKey({ client }: Cluster, { namespace, name }: Owner): Promise<boolean> {
  const config = await client.get(resources.configmaps, { namespace, name: `eventbus-${name}-js-config` })
  const conf = (config?.data as Record<string, string> | undefined)?.['nats-js']
  return conf === undefined || usesKey(conf)
}

/** The Secret with a note of what was made anew, after what was noted before. */
function noted(made: KubeObject | null, remade: string[], live: KubeObject | null, now: number): KubeObject | null {
  if (made === null) return null
  const before = live?.metadata.annotations?.[REMADE_ANNOTATION]
  const lines = remade.map((what) => `${new Date(now).toISOString().slice(0, 19)}Z ${what}`)
  const note = [...(before === undefined ? [] : [before]), ...lines].join('\n')
  if (note === '') return made
  return {
    ...made,
    metadata: { ...made.metadata, annotations: { ...made.metadata.annotations, [REMADE_ANNOTATION]: note } },
  }
}

function toldOf(secret: KubeObject | null, name: string): Condition[] {
  const note = secret?.metadata.annotations?.[REMADE_ANNOTATION]
  if (note === undefined) return []
  const done = `once all is well, take the annotation ${REMADE_ANNOTATION} off Secret ${name}`
  return [
    warning(
      'SecretsRemade',
      'KeysWereMissing',
      `made anew, since it was missing: ${note.replaceAll('\n', '; ')}; ${done}`,
    ),
  ]
}

function keyLostText(secret: string, { namespace, name }: Owner): string {
  return (
    `Secret ${secret} has no key "encryption", and what is on the disks of the bus can be read with that alone: no other one is made. A server that runs goes on, and its ` +
    `environment still holds it (JS_KEY of container main in Pod ${statefulSetName({ name })}-0); a server that is started cannot. Put it back: kubectl -n ${namespace} patch secret ${secret} ` +
    `-p '{"stringData":{"encryption":"…"}}'. If it is lost, so are the events and positions on the bus: scale the users of the bus down, delete StatefulSet ${statefulSetName({ name })} and its claims, and a new key is made`
  )
}
