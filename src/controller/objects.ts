/** Kubernetes objects as plain JSON, and what all of ours have in common: labels, owner, hash, order. */
import { createHash } from 'node:crypto'
import type { KubeObject, OwnerReference } from '../kube/resources.ts'

/** The object that others are made for. `uid` is absent when nothing is in a cluster yet (`vedette render`). */
export interface Owner {
  kind: 'EventSource' | 'EventBus' | 'Sensor'
  namespace: string
  name: string
  uid?: string | undefined
}

export const API_VERSION = 'argoproj.io/v1alpha1'

/** Who sets the fields of what we apply. */
export const MANAGER = 'vedette-controller'

/** Upstream's annotation: changes when what was asked for changes. */
export const HASH_ANNOTATION = 'resource-spec-hash'

/** Upstream's labels of everything made for `owner`; selectors use them, so they never change. */
export function ownerLabels({ kind, name }: Owner): Record<string, string> {
  const lower = kind.toLowerCase()
  return { controller: `${lower}-controller`, [`${lower}-name`]: name, 'owner-name': name }
}

/** The same as a label selector. */
export function selectorOf(owner: Owner): string {
  return labelSelector(ownerLabels(owner))
}

/** The text of a label selector. */
export function labelSelector(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join()
}

type Unowned = Pick<KubeObject, 'apiVersion' | 'kind'> & {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  [field: string]: any
}

/** An object made for `owner`: named, labelled, owned (so that it goes when the owner goes) and hashed. */
export function owned(owner: Owner, { apiVersion, kind, metadata, ...fields }: Unowned): KubeObject {
  const { name, labels = ownerLabels(owner), annotations } = metadata
  const hash = createHash('sha256').update(canonical({ labels, annotations, fields })).digest('hex')
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: owner.namespace,
      labels,
      annotations: { ...annotations, [HASH_ANNOTATION]: hash },
      ...(owner.uid === undefined ? {} : { ownerReferences: [ownerReference(owner, owner.uid)] }),
    },
    ...fields,
  }
}

function ownerReference({ kind, name }: Owner, uid: string): OwnerReference {
  return { apiVersion: API_VERSION, kind, name, uid, controller: true, blockOwnerDeletion: true }
}

/** Prefixes of annotations that say who made the very object they are on, and how: copied, another would be taken for its own. */
const OF_THE_OBJECT =
  /^([^/]*\.)?(kubernetes\.io|k8s\.io|argoproj\.io|helm\.sh|fluxcd\.io|k14s\.io|tanka\.dev|pulumi\.com|cattle\.io)\//

/** The annotations of an owner that what is made for it has too: those for the people and tools of the user. */
export function inherited(annotations: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([key]) => !OF_THE_OBJECT.test(key) && key !== HASH_ANNOTATION),
  )
}

/** JSON whose members are sorted: the same for the same content. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

/** `value` without members that are undefined or empty objects or lists: Kubernetes drops those too. */
export function compact<T extends object>(value: T): T {
  const full = Object.entries(value).filter(([, member]) => {
    if (member === undefined || member === null || member === '') return false
    return typeof member !== 'object' || Object.keys(member).length > 0
  })
  return Object.fromEntries(full) as T
}

/** Upstream's base64 of JSON, as it stands in the environment of Pods. */
export function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}
