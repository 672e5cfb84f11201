/** What the API server's refusals mean, as errors from the table. */
import { fail, isVedetteError, messageOf, type VedetteError } from '../core/errors.ts'
import { nameOf, type Resource, resourceOf } from './resources.ts'

/** One call, as RBAC sees it. */
export interface Call {
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete'
  resource: Resource
  namespace?: string | undefined
  name?: string | undefined
  subresource?: string | undefined
  /** Whose the object is that is sent. */
  owner?: { apiVersion: string; kind: string } | undefined
}

/** `metav1.Status`, as far as it is used (kubernetes.io/docs/reference/kubernetes-api/common-definitions/status). */
export interface Status {
  kind: 'Status'
  reason?: string
  message?: string
  code?: number
  details?: { retryAfterSeconds?: number; causes?: { reason?: string; message?: string; field?: string }[] }
}

const changes = (verb: Call['verb']) => verb !== 'get' && verb !== 'list' && verb !== 'watch'

/** Text of a call for messages: `get leases.coordination.k8s.io "x" in namespace "y"`. */
export function describe({ verb, resource, namespace, name, subresource }: Call): string {
  const what = `${nameOf(resource)}${subresource === undefined ? '' : `/${subresource}`}`
  const where = resource.namespaced
    ? namespace === undefined
      ? ' in all namespaces'
      : ` in namespace "${namespace}"`
    : ''
  return `${verb} ${what}${name === undefined ? '' : ` "${name}"`}${where}`
}

/**
 * The error for an answer that is no success.
 * `KUBERNETES_FORBIDDEN` says which Role is wanting, `KUBERNETES_CONFLICT` that another was faster, `KUBERNETES_GONE` that the resourceVersion
 * is too old, `KUBERNETES_INVALID` what is wrong with the object, `KUBERNETES_UNAVAILABLE` that nothing was done; `OUTCOME_UNKNOWN` that a change may
 * have been made all the same.
 */
export function refusal(call: Call, code: number, status: Status | null, text = ''): VedetteError {
  const said = status?.message ?? (text.trim().slice(0, 300) || `HTTP ${code}`)
  const reason = status?.reason
  const details = { status: code, ...(reason === undefined ? {} : { reason }) }
  const failed = `could not ${describe(call)}`
  if (code === 401) {
    return fail(
      'KUBERNETES_FORBIDDEN',
      `${failed}: the API server does not know this client (401): its token or certificate has run out or is of another cluster`,
      details,
    )
  }
  if (code === 403) {
    const namespaceEnds = status?.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true
    const remedy = isOfAdmission(said) ? '' : `. ${remedyFor(call, said)}`
    return fail('KUBERNETES_FORBIDDEN', `${failed}: ${said}${remedy}`, { ...details, namespaceEnds })
  }
  if (code === 404) {
    return fail(
      'KUBERNETES_INVALID',
      status === null
        ? `${failed}: the API server does not have ${nameOf(call.resource)} (${call.resource.version}): is its CustomResourceDefinition installed?`
        : `${failed}: ${said}`,
      details,
    )
  }
  if (code === 409) return fail('KUBERNETES_CONFLICT', `${failed}: ${said}`, details)
  if (code === 410) return fail('KUBERNETES_GONE', `${failed}: ${said}`, details)
  const retryAfter = status?.details?.retryAfterSeconds
  if (code === 429) return fail('KUBERNETES_UNAVAILABLE', `${failed}: ${said}`, { ...details, retryAfter })
  // An object that does not fit its schema is answered with 500 by server-side apply.
  if (code >= 500 && !said.startsWith('failed to create typed patch object')) return lost(call, said, details)
  return fail('KUBERNETES_INVALID', `${failed}: ${said}`, details)
}

/** Failures of a connection that was never made: nothing was sent. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
])

/** The error for a call without an answer. */
export function noAnswer(call: Call, server: string, error: unknown): VedetteError {
  const code = (error as { code?: string })?.code ?? ''
  const certificate = /^(CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)
  const why = `${server} cannot be reached: ${messageOf(error) || code}`
  if (NEVER_SENT.has(code) || certificate) {
    const text = `could not ${describe(call)}: ${why}`
    return fail('KUBERNETES_UNAVAILABLE', text, { cause: code }, { cause: error })
  }
  return lost(call, why, { cause: code }, error)
}

function lost(call: Call, why: string, details: Record<string, unknown>, cause?: unknown): VedetteError {
  return changes(call.verb)
    ? fail('OUTCOME_UNKNOWN', `${describe(call)} may or may not have been done: ${why}`, details, { cause })
    : fail('KUBERNETES_UNAVAILABLE', `could not ${describe(call)}: ${why}`, details, { cause })
}

/** Whether nothing can be made any more in the namespace, since it is being deleted. */
export function endsNamespace(error: unknown): boolean {
  return isVedetteError(error, 'KUBERNETES_FORBIDDEN') && error.details.namespaceEnds === true
}

/** Admission forbids as well (a quota, a Pod Security level, a webhook, the end of a namespace), and no Role helps against it. */
function isOfAdmission(said: string): boolean {
  const ofRights = /\bUser "|attempting to grant RBAC|can't set finalizers on/i
  return /is forbidden: |denied (the )?request/.test(said) && !ofRights.test(said)
}

/** What an administrator adds, in the words of a Role. The call's own verb is not always the one that is wanting. */
function remedyFor({ verb, resource, namespace, subresource, owner }: Call, said: string): string {
  const kind = resource.namespaced && namespace !== undefined ? 'Role' : 'ClusterRole'
  const add = (rules: string[]) => `Add to a ${kind} of this ServiceAccount: ${rules.join('; ')}`
  // Nobody may grant what he has not (Kubernetes: registry/rbac/validation/rule.go).
  const [, lacking] = said.split('attempting to grant RBAC permissions not currently held:')
  if (lacking !== undefined) {
    const rules = [...lacking.matchAll(/\{APIGroups:\[(.*?)\], Resources:\[(.*?)\],.*?Verbs:\[(.*?)\]\}/g)]
    if (rules.length > 0) return add(rules.map(([, groups, kinds, verbs]) => ruleText(groups!, kinds!, verbs!)))
  }
  // The admission plugin OwnerReferencesPermissionEnforcement.
  if (owner !== undefined && said.includes("refers to a resource you can't set finalizers on")) {
    const owning = resourceOf(owner)
    if (owning !== null) return add([ruleText(`"${owning.group}"`, `"${owning.plural}/finalizers"`, '"update"')])
  }
  // What is applied and is not there yet needs `create` as well: the server names the one that it missed.
  const [, missing = verb] = said.match(/" cannot ([a-z]+) resource "/) ?? []
  const what = `${resource.plural}${subresource === undefined ? '' : `/${subresource}`}`
  return add([ruleText(`"${resource.group}"`, `"${what}"`, `"${missing}"`)])
}

const ruleText = (groups: string, kinds: string, verbs: string): string =>
  `apiGroups: [${groups}], resources: [${kinds}], verbs: [${verbs}]`
