/**
 * The hash by which upstream's controller knows what it has made: of a Service that has another one it makes a new one, with a new
 * ClusterIP (reconciler/eventsource/resource.go). So ours carry upstream's, and outlive the exchange there and back.
 */
import type { KubeObject, OwnerReference } from '../kube/resources.ts'
import { HASH_ANNOTATION, MANAGER } from './objects.ts'

/** The same Service under the hash that upstream gives it. @param service without defaults of the API server */
export function withUpstreamHash(service: KubeObject): KubeObject {
  const { [HASH_ANNOTATION]: _, ...annotations } = service.metadata.annotations ?? {}
  const hash = fnv1a(goJson(asUpstreamBuilds(service, annotations)))
  return { ...service, metadata: { ...service.metadata, annotations: { ...annotations, [HASH_ANNOTATION]: hash } } }
}

/** On what a bus consists of: our own hash, where upstream's stands in the place of it. */
export const OWN_HASH_ANNOTATION = 'vedette.dev/resource-spec-hash'

/**
 * What upstream's controller has made of a bus keeps the hash that it had, as long as we change it: upstream goes by the hash of what it would make, so on the way back it changes
 * what its user has changed meanwhile, and else leaves servers alone (reconciler/eventbus/installer/jetstream.go).
 * @param live as it is on the cluster; null: it is made now
 */
export function keepingTheirHash(object: KubeObject, live: KubeObject | null): KubeObject {
  const { annotations = {}, labels } = object.metadata
  const own = annotations[HASH_ANNOTATION]
  if (labels?.controller !== 'eventbus-controller' || own === undefined) return object
  const theirs = theirHashOf(live) ?? own
  const hashes = { [HASH_ANNOTATION]: theirs, [OWN_HASH_ANNOTATION]: own }
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, ...hashes } } }
}

/** The hash by which upstream's controller would leave a part of a bus as it is; null: it did not make it. */
export function theirHashOf(live: KubeObject | null): string | null {
  const { [HASH_ANNOTATION]: hash, [OWN_HASH_ANNOTATION]: own } = live?.metadata.annotations ?? {}
  if (hash === undefined || hash === own || (own === undefined && isOurs(live!))) return null
  return hash
}

/** Also of a version of ours that wrote no hash of its own. */
const isOurs = ({ metadata }: KubeObject) =>
  ((metadata.managedFields ?? []) as { manager?: string }[]).some(({ manager }) => manager === MANAGER)

/** Members in the order of the Go types (k8s.io/api/core/v1, as of v0.32), the empty ones left out where those do. */
function asUpstreamBuilds({ metadata, spec }: KubeObject, annotations: Record<string, string>): object {
  const { name, namespace, labels, ownerReferences } = metadata
  const { ports, selector, clusterIP, type } = spec as Record<string, any>
  return {
    metadata: {
      name,
      namespace,
      creationTimestamp: null,
      labels: sorted(labels),
      annotations: sorted(annotations),
      ownerReferences: ownerReferences?.map(ownerOf),
    },
    spec: { ports: ports.map(portOf), selector: sorted(selector), clusterIP: clusterIP || undefined, type },
    status: { loadBalancer: {} },
  }
}

const ownerOf = ({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: OwnerReference) => ({
  ...{ apiVersion, kind, name, uid, controller, blockOwnerDeletion },
})

/** A target port that is not given is 0: Go leaves no struct out. */
const portOf = ({ name, protocol, appProtocol, port, targetPort, nodePort }: Record<string, any>) => ({
  name: name || undefined,
  protocol: protocol || undefined,
  appProtocol: appProtocol ?? undefined,
  port,
  targetPort: targetPort ?? 0,
  nodePort: nodePort || undefined,
})

function sorted(map: Record<string, string> | undefined): Record<string, string> | undefined {
  const entries = Object.entries(map ?? {})
  return entries.length === 0
    ? undefined
    : Object.fromEntries(entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
}

/** As encoding/json writes it: also what HTML and JavaScript trip over is escaped. */
function goJson(value: object): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  )
}

/** FNV-1a with 32 bits, in decimal. */
export function fnv1a(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return `${hash}`
}
