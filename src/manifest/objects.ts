/** What every Kubernetes object has: apiVersion, kind, metadata. Field lists: the Kubernetes API's ObjectMeta v1. */

import { z } from 'zod'
import { quote } from '../core/quote.ts'
import { decode, unknownMember } from './decode.ts'
import type { Notes } from './notes.ts'
import { type MapNode, type Node, nodeAt } from './tree.ts'

export interface ObjectHead {
  apiVersion: string
  kind: string
  /** Empty when it is missing (an error then). */
  name: string
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

const strings = z.record(z.string(), z.string()).optional()

const native = z.unknown().optional()

const metadataSchema = z.object({
  name: z.string().optional(),
  namespace: z.string().optional(),
  labels: strings,
  annotations: strings,
  generateName: z.string().optional(),
  creationTimestamp: native,
  deletionTimestamp: native,
  deletionGracePeriodSeconds: native,
  finalizers: native,
  generation: native,
  managedFields: native,
  ownerReferences: native,
  resourceVersion: native,
  selfLink: native,
  uid: native,
  clusterName: native,
})

/** Our kinds, with the apiVersion each needs. */
const kinds: Record<string, string> = {
  EventSource: 'argoproj.io/v1alpha1',
  EventBus: 'argoproj.io/v1alpha1',
  Secret: 'v1',
  ConfigMap: 'v1',
}

/** apiVersion and kind. Null when it cannot be told what the document is; that has been noted. */
export function readKind(root: Node, notes: Notes): { apiVersion: string; kind: string; ours: boolean } | null {
  const error = (path: string[], message: string, remedy?: string) => {
    notes.add({ severity: 'error', path, message, remedy })
    return null
  }
  if (root.kind !== 'map') return error([], 'a document must be an object', 'begin it with apiVersion: and kind:')
  const kind = text(root, 'kind')
  const apiVersion = text(root, 'apiVersion')
  if (kind === undefined) {
    const meant = nodeAt(root, ['kind']) === undefined ? 'is missing' : 'must be a string'
    return error(['kind'], meant, `write one of ${Object.keys(kinds).join(', ')}`)
  }
  const ours = Object.keys(kinds).find((known) => known.toLowerCase() === kind.toLowerCase())
  if (ours !== undefined && ours !== kind) return error(['kind'], `unknown kind ${quote(kind)}`, `write ${ours}`)
  if (apiVersion === undefined) {
    const meant = nodeAt(root, ['apiVersion']) === undefined ? 'is missing' : 'must be a string'
    return error(['apiVersion'], meant, ours && `write ${kinds[ours]}`)
  }
  if (ours !== undefined && apiVersion !== kinds[ours]) {
    // Other projects have kinds of these names too; only a near miss of our group is a mistake of ours.
    const foreign = ours.startsWith('Event') && apiVersion.includes('/') && !apiVersion.startsWith('argoproj.io/')
    if (foreign) return { apiVersion, kind, ours: false }
    return error(['apiVersion'], `${quote(apiVersion)} has no ${ours}`, `write ${kinds[ours]}`)
  }
  if (ours === undefined && apiVersion === 'argoproj.io/v1alpha1' && /^event-?(source|bus)(s|es)?$/i.test(kind)) {
    return error(['kind'], `unknown kind ${quote(kind)}`, `write ${/bus/i.test(kind) ? 'EventBus' : 'EventSource'}`)
  }
  return { apiVersion, kind, ours: ours !== undefined }
}

/** The rest of the head; mistakes are noted. `members` are the fields that this kind has at the top. */
export function readHead(root: MapNode, kind: string, members: string[], notes: Notes): ObjectHead {
  const known = ['apiVersion', 'kind', 'metadata', ...members]
  for (const key of root.members.keys()) if (!known.includes(key)) unknownMember(key, known, [key], notes)
  const metadata = root.members.get('metadata')?.value
  const value: z.infer<typeof metadataSchema> =
    metadata === undefined ? {} : (decode(metadataSchema, metadata, ['metadata'], notes).value ?? {})
  const head = {
    apiVersion: kinds[kind]!,
    kind,
    name: value.name ?? '',
    namespace: value.namespace || 'default',
    labels: value.labels ?? {},
    annotations: value.annotations ?? {},
  }
  checkNames(head, metadata, value.generateName !== undefined, notes)
  return head
}

function checkNames(
  { name, namespace }: ObjectHead,
  metadata: Node | undefined,
  generated: boolean,
  notes: Notes,
): void {
  const written = metadata && nodeAt(metadata, ['name'])
  // A name of another type has been refused already.
  if (name === '' && (written === undefined || (written.kind === 'scalar' && !written.value))) {
    const remedy = generated ? 'generateName needs an API server: write a name' : 'write metadata.name'
    notes.add({ severity: 'error', path: ['metadata', 'name'], message: 'is missing', remedy })
  }
  const remedy = 'use lower-case letters, digits and "-"'
  if (name !== '' && !isSubdomain(name)) {
    const message = `${quote(name)} is no name that Kubernetes takes`
    notes.add({ severity: 'error', path: ['metadata', 'name'], message, remedy })
  }
  if (!isSubdomain(namespace) || namespace.includes('.')) {
    const message = `${quote(namespace)} is no namespace that Kubernetes takes`
    notes.add({ severity: 'error', path: ['metadata', 'namespace'], message, remedy })
  }
}

/** RFC 1123 subdomain: what the API server takes as an object's name. */
function isSubdomain(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(label))
}

function text(root: MapNode, key: string): string | undefined {
  const value = nodeAt(root, [key])
  return value?.kind === 'scalar' && typeof value.value === 'string' && value.value !== '' ? value.value : undefined
}
