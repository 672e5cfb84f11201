/** What is on a cluster, as far as an exchange is concerned, read with the rights of whoever asks. */
import { kindsIn, makesServers } from '../../buses/index.ts'
import { isVedetteError } from '../../core/errors.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, type Resource, resources } from '../../kube/resources.ts'
import { membersOf } from '../../manifest/tree.ts'
import { secretNames } from '../eventBus/credentials.ts'
import { BACKUP, type Backup, readBackup } from './backup.ts'
import { type CertificateForm, formOf } from './certificates.ts'

export interface Snapshot {
  eventSources: KubeObject[]
  eventBuses: KubeObject[]
  sensors: KubeObject[]
  /** All Deployments: controllers by any name, and what they have made. */
  deployments: KubeObject[]
  statefulSets: KubeObject[]
  services: KubeObject[]
  configMaps: KubeObject[]
  claims: KubeObject[]
  budgets: KubeObject[]
  networkPolicies: KubeObject[]
  roles: KubeObject[]
  roleBindings: KubeObject[]
  clusterRoles: KubeObject[]
  clusterRoleBindings: KubeObject[]
  webhooks: KubeObject[]
  crds: KubeObject[]
  /** Of native buses, by `namespace/name`; no Secret's value is in a snapshot. */
  certificates: ReadonlyMap<string, CertificateForm>
  /** Deployments of all other namespaces, where only one is looked at and they may be read. */
  elsewhere: KubeObject[]
  /** What an earlier `apply` has put aside. */
  backup: Backup | null
  /** What could not be looked at, and why. */
  unseen: string[]
}

type Kind = Exclude<keyof Snapshot, 'certificates' | 'elsewhere' | 'backup' | 'unseen'>

const read: Record<Kind, Resource> = {
  eventSources: resources.eventsources,
  eventBuses: resources.eventbus,
  sensors: resources.sensors,
  deployments: resources.deployments,
  statefulSets: resources.statefulsets,
  services: resources.services,
  configMaps: resources.configmaps,
  claims: resources.persistentvolumeclaims,
  budgets: resources.poddisruptionbudgets,
  networkPolicies: resources.networkpolicies,
  roles: resources.roles,
  roleBindings: resources.rolebindings,
  clusterRoles: resources.clusterroles,
  clusterRoleBindings: resources.clusterrolebindings,
  webhooks: resources.validatingwebhookconfigurations,
  crds: resources.customresourcedefinitions,
}

/** What an install for one namespace has no part in, and its administrator may not read. */
const CLUSTER_WIDE: readonly Kind[] = ['clusterRoles', 'clusterRoleBindings', 'webhooks']

/**
 * @param namespace the one to look at; left out: all
 * @param home where the backup would be
 * @throws as the client, but for what is forbidden or not installed: that is told by `unseen`
 */
export async function readSnapshot(
  client: KubeClient,
  { namespace, home }: { namespace?: string | undefined; home: string },
): Promise<Snapshot> {
  const unseen: string[] = []
  const seeing = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (!isVedetteError(error, 'KUBERNETES_FORBIDDEN', 'KUBERNETES_INVALID')) throw error
      unseen.push(error.message)
      return otherwise
    }
  }
  const kinds = await Promise.all(
    (Object.keys(read) as Kind[]).map(async (kind) => {
      const selection = read[kind].namespaced && namespace !== undefined ? { namespace } : {}
      if (namespace !== undefined && CLUSTER_WIDE.includes(kind)) return [kind, []] as const
      return [kind, await seeing(async () => (await client.list(read[kind], selection)).items, [])] as const
    }),
  )
  const found = Object.fromEntries(kinds) as Record<Kind, KubeObject[]>
  const native = found.eventBuses.filter(({ spec }) => kindsIn(membersOf(spec)).some(makesServers))
  const certificates = await Promise.all(
    native.map(async ({ metadata: { namespace: at, name } }) => {
      const place = { namespace: at, name: secretNames(name).server }
      const form = await seeing<CertificateForm>(
        async () => formOf(await client.get(resources.secrets, place)),
        'unseen',
      )
      return [`${at}/${name}`, form] as const
    }),
  )
  const backup = await seeing(
    async () => readBackup(await client.get(resources.configmaps, { namespace: home, name: BACKUP })),
    null,
  )
  const elsewhere = namespace === undefined ? [] : await deploymentsBeside(client, namespace)
  return { ...found, certificates: new Map(certificates), elsewhere, backup, unseen }
}

/** None for who may see no other namespace: it is no part of what is asked for. */
async function deploymentsBeside(client: KubeClient, namespace: string): Promise<KubeObject[]> {
  try {
    const { items } = await client.list(resources.deployments)
    return items.filter(({ metadata }) => metadata.namespace !== namespace)
  } catch (error) {
    if (isVedetteError(error, 'KUBERNETES_FORBIDDEN')) return []
    throw error
  }
}
