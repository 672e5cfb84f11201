/** What the controller may do: every verb that it uses, and no other (test/controller/rbac.test.ts takes each away in turn). */
import type { KubeObject } from '../../kube/resources.ts'

export interface Rule {
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
  verbs: string[]
}

const rule = (group: string, resources: string[], verbs: string[], resourceNames?: string[]): Rule => ({
  apiGroups: [group],
  resources,
  ...(resourceNames === undefined ? {} : { resourceNames }),
  verbs,
})

/** The controller's own Lease; upstream's name, so that the two never reconcile at the same time. */
export const CONTROLLER_LEASE = 'argo-events-controller'
export const WEBHOOK_NAME = 'webhook.argo-events.argoproj.io'
export const WEBHOOK_CERTS = 'events-webhook-certs'

const ours = ['eventsources', 'eventbus', 'sensors']
const watched = ['get', 'list', 'watch', 'create', 'patch', 'update']
const applied = ['get', 'create', 'patch', 'delete']

/** In every namespace that it looks after. */
export const rules: Rule[] = [
  rule('argoproj.io', ours, ['list', 'watch', 'update']),
  rule(
    'argoproj.io',
    ours.map((plural) => `${plural}/status`),
    ['patch'],
  ),
  // For the owner references of what it makes, where the API server asks for it.
  rule(
    'argoproj.io',
    ours.map((plural) => `${plural}/finalizers`),
    ['update'],
  ),
  rule('apps', ['deployments', 'statefulsets'], watched),
  // Of a bus whose servers never got a disk, when it is to have another.
  rule('apps', ['statefulsets'], ['delete']),
  rule('', ['services'], [...watched, 'delete']),
  // Neither list nor watch: it makes those of buses, and looks at those that objects name, to say which is missing.
  rule('', ['configmaps', 'secrets'], ['get', 'create', 'patch']),
  // As of the others above: to end the hold that Argo Events' controller has of the fields.
  rule('', ['configmaps'], ['update']),
  // Which Pods are of the generation that is wanted, what keeps them from getting ready, and whose metrics say who leads.
  rule('apps', ['replicasets'], ['list']),
  rule('', ['pods'], ['list']),
  // What is told of its objects; and those of claims and StatefulSets, which tell why servers are not there.
  rule('', ['events'], ['create', 'patch', 'list']),
  // Those of buses grow.
  rule('', ['persistentvolumeclaims'], ['list', 'patch', 'delete']),
  rule('policy', ['poddisruptionbudgets'], applied),
  rule('rbac.authorization.k8s.io', ['roles', 'rolebindings'], applied),
  rule('batch', ['jobs'], ['get', 'create']),
  // Its own; and nobody may grant what he has not: the Roles of EventSources that elect by Lease.
  rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update']),
]

/** Of the admission webhook: its own configuration, by name. */
export const webhookRules: Rule[] = [
  rule('admissionregistration.k8s.io', ['validatingwebhookconfigurations'], ['patch'], [WEBHOOK_NAME]),
]

/** With `--network-policies`, and only then. */
export const networkPolicyRules: Rule[] = [
  rule('networking.k8s.io', ['networkpolicies'], ['get', 'create', 'patch', 'delete']),
]

const apiGroup = 'rbac.authorization.k8s.io'
/**
 * Of its account, Role and binding. Not Argo Events' names: EventSources and Sensors may run as its controller's account, and applied over
 * its Role ours would take rights from them (watching Pods, say).
 */
export const CONTROLLER_ACCOUNT = 'vedette-controller'
const LEADER_ELECTION_ROLE = 'vedette-leader-election'

export interface RbacOptions {
  namespace: string
  /** Only in its own namespace. */
  namespaced: boolean
  networkPolicies?: boolean
}

export function rbac({ namespace, namespaced, networkPolicies = false }: RbacOptions): KubeObject[] {
  const name = CONTROLLER_ACCOUNT
  const subjects = [{ kind: 'ServiceAccount', name, namespace }]
  const place = namespaced ? { namespace } : {}
  const prefix = namespaced ? '' : 'Cluster'
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: `${prefix}Role`,
      metadata: { name, ...place },
      rules: [...rules, ...(networkPolicies ? networkPolicyRules : []), ...(namespaced ? [] : webhookRules)],
    },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: `${prefix}RoleBinding`,
      metadata: { name, ...place },
      roleRef: { apiGroup, kind: `${prefix}Role`, name },
      subjects,
    },
    ...(namespaced ? [leaderElectionRole(namespace)] : [leaderElectionRole(undefined), ...aggregated()]),
  ]
}

/** For Pods whose ServiceAccount users bind themselves; the controller makes a Role per EventSource beside it. */
function leaderElectionRole(namespace: string | undefined): KubeObject {
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: namespace === undefined ? 'ClusterRole' : 'Role',
    metadata: { name: LEADER_ELECTION_ROLE, ...(namespace === undefined ? {} : { namespace }) },
    rules: [rule('coordination.k8s.io', ['leases'], ['get', 'create', 'update'])],
  }
}

/** Users with Kubernetes' own roles may use our objects. */
function aggregated(): KubeObject[] {
  const read = ['get', 'list', 'watch']
  const write = ['create', 'delete', 'deletecollection', 'patch', 'update', ...read]
  return (['admin', 'edit', 'view'] as const).map((to) => ({
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRole',
    metadata: {
      name: `argo-events-aggregate-to-${to}`,
      labels: { [`rbac.authorization.k8s.io/aggregate-to-${to}`]: 'true' },
    },
    rules: [
      rule(
        'argoproj.io',
        ours.flatMap((plural) => [plural, `${plural}/finalizers`, `${plural}/status`]),
        to === 'view' ? read : write,
      ),
    ],
  }))
}
