/** Kubernetes objects as they travel, and where the API server keeps each kind. */

export interface ObjectMeta {
  name: string
  namespace?: string
  uid?: string
  /** Opaque; what an update compares. */
  resourceVersion?: string
  generation?: number
  /** RFC 3339. */
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: unknown[]
  [member: string]: unknown
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [member: string]: unknown
}

/** A kind, and the path of its collection. */
export interface Resource {
  /** Empty for the core group. */
  group: string
  version: string
  plural: string
  /** Empty where it is not known: lists say it. */
  kind: string
  namespaced: boolean
}

const resource = (group: string, version: string, plural: string, kind: string, namespaced = true): Resource => ({
  group,
  version,
  plural,
  kind,
  namespaced,
})

/** The kinds that Vedette reads or writes. */
export const resources = {
  configmaps: resource('', 'v1', 'configmaps', 'ConfigMap'),
  events: resource('', 'v1', 'events', 'Event'),
  namespaces: resource('', 'v1', 'namespaces', 'Namespace', false),
  nodes: resource('', 'v1', 'nodes', 'Node', false),
  persistentvolumeclaims: resource('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  pods: resource('', 'v1', 'pods', 'Pod'),
  secrets: resource('', 'v1', 'secrets', 'Secret'),
  serviceaccounts: resource('', 'v1', 'serviceaccounts', 'ServiceAccount'),
  services: resource('', 'v1', 'services', 'Service'),
  deployments: resource('apps', 'v1', 'deployments', 'Deployment'),
  replicasets: resource('apps', 'v1', 'replicasets', 'ReplicaSet'),
  statefulsets: resource('apps', 'v1', 'statefulsets', 'StatefulSet'),
  jobs: resource('batch', 'v1', 'jobs', 'Job'),
  leases: resource('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  endpointslices: resource('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice'),
  networkpolicies: resource('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy'),
  poddisruptionbudgets: resource('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  priorityclasses: resource('scheduling.k8s.io', 'v1', 'priorityclasses', 'PriorityClass', false),
  roles: resource('rbac.authorization.k8s.io', 'v1', 'roles', 'Role'),
  rolebindings: resource('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding'),
  clusterroles: resource('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole', false),
  clusterrolebindings: resource('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings', 'ClusterRoleBinding', false),
  customresourcedefinitions: resource(
    'apiextensions.k8s.io',
    'v1',
    'customresourcedefinitions',
    'CustomResourceDefinition',
    false,
  ),
  validatingwebhookconfigurations: resource(
    'admissionregistration.k8s.io',
    'v1',
    'validatingwebhookconfigurations',
    'ValidatingWebhookConfiguration',
    false,
  ),
  validatingadmissionpolicies: resource(
    'admissionregistration.k8s.io',
    'v1',
    'validatingadmissionpolicies',
    'ValidatingAdmissionPolicy',
    false,
  ),
  validatingadmissionpolicybindings: resource(
    'admissionregistration.k8s.io',
    'v1',
    'validatingadmissionpolicybindings',
    'ValidatingAdmissionPolicyBinding',
    false,
  ),
  eventsources: resource('argoproj.io', 'v1alpha1', 'eventsources', 'EventSource'),
  eventbus: resource('argoproj.io', 'v1alpha1', 'eventbus', 'EventBus'),
  sensors: resource('argoproj.io', 'v1alpha1', 'sensors', 'Sensor'),
} as const satisfies Record<string, Resource>

export const apiVersionOf = ({ group, version }: Resource): string => (group === '' ? version : `${group}/${version}`)

/** `leases.coordination.k8s.io`, as in what `kubectl` and RBAC messages say. */
export const nameOf = ({ group, plural }: Resource): string => (group === '' ? plural : `${plural}.${group}`)

/** The path of a collection (without `name`) or of one object. */
export function pathOf(
  resource: Resource,
  { namespace, name, subresource }: { namespace?: string | undefined; name?: string; subresource?: string } = {},
): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`
  const segments = [
    ...(resource.namespaced && namespace !== undefined ? ['namespaces', namespace] : []),
    resource.plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ]
  return `${root}/${resource.version}/${segments.map(encodeURIComponent).join('/')}`
}

/** `namespace/name`, or the name alone where there is no namespace. */
export const keyOf = ({ metadata: { namespace, name } }: KubeObject): string =>
  namespace === undefined || namespace === '' ? name : `${namespace}/${name}`

/** The kind of resource that a manifest's object is, if it is a well-known one. */
export function resourceOf({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): Resource | null {
  return Object.values(resources).find((each) => each.kind === kind && apiVersionOf(each) === apiVersion) ?? null
}
