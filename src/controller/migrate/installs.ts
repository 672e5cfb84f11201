/** The exchange of what is installed: controllers, webhook, configuration, rights, CRDs. Pure. */
import type { KubeObject } from '../../kube/resources.ts'
import { mergedConfig } from './config.ts'
import { type Install, upstreamInstalls } from './found.ts'
import type { Snapshot } from './snapshot.ts'
import { nameOf, type Step } from './steps.ts'

export interface Target {
  /** Where our controller runs. */
  home: string
  /** It looks after this namespace only. */
  namespaced: boolean
  /** What is to be applied: of `install()`. */
  objects: readonly KubeObject[]
}

/** Objects of theirs that ours would take the name of. */
export function takenNames(snapshot: Snapshot, { objects }: Target): KubeObject[] {
  const wanted = new Set(objects.map(nameOf))
  const { deployments, services, configMaps, budgets, roles, roleBindings } = snapshot
  const { clusterRoles, clusterRoleBindings, webhooks, crds } = snapshot
  return [
    ...[...deployments, ...services, ...configMaps, ...budgets, ...roles, ...roleBindings],
    ...[...clusterRoles, ...clusterRoleBindings, ...webhooks, ...crds],
  ].filter((live) => wanted.has(nameOf(live)))
}

/** Kinds of which a field that ours does not set must not stay, or that cannot be changed in place. */
export const MADE_ANEW = ['Deployment', 'Service', 'ValidatingWebhookConfiguration']

export function installSteps(snapshot: Snapshot, target: Target): Step[] {
  const installs = upstreamInstalls(snapshot.deployments)
  const names = new Set(target.objects.map(nameOf))
  return [
    ...installs.map((one) => controllerStep(one, target, names)),
    ...besideSteps(snapshot, target),
    ...takenNames(snapshot, target)
      .filter(({ kind }) => kind !== 'Deployment')
      .map((object) => takenStep(object, snapshot, target)),
    ...ownConfigSteps(installs, snapshot, target),
    ...rightsSteps(snapshot),
  ]
}

function controllerStep(install: Install, target: Target, names: ReadonlySet<string>): Step {
  const { deployment, role, image, replicas, elects } = install
  const taken = names.has(nameOf(deployment))
  const refusal = keptBy(install) ?? besideOurs(install, target)
  const work = role === 'webhook' ? "Argo Events' admission webhook" : "Argo Events' controller"
  const how = taken
    ? 'scaled to 0, put aside, and ours takes its name'
    : 'scaled to 0 and left there, for the way back; ours has another name'
  const beside = role === 'controller' && !elects ? ' It runs without a Lease, so it is ended before ours begins.' : ''
  const helm =
    install.keeper === 'Helm' ? ' It is of a Helm release: `helm upgrade` would start it again, beside ours.' : ''
  return {
    object: nameOf(deployment),
    fate: taken ? 'replaced' : 'stopped',
    what: `${work} (${image}, ${replicas} replicas): ${how}.${beside}${helm}`,
    takes: 'as long as its Pods take to end; EventSources and buses go on meanwhile',
    ...(refusal === undefined ? {} : { refusal }),
  }
}

function keptBy({ keeper }: Install): Step['refusal'] | undefined {
  if (keeper === undefined || keeper === 'Helm') return undefined
  return {
    reason: 'managed-elsewhere',
    why: `${keeper} keeps it: it would be started again beside ours`,
    remedy: `take it out of what ${keeper} applies, or stop the synchronisation, first`,
  }
}

function besideOurs({ role, namespace }: Install, { namespaced, home }: Target): Step['refusal'] | undefined {
  if (role === 'webhook' || (namespaced ? namespace === home : namespace === undefined)) return undefined
  return {
    reason: 'two-controllers',
    why: namespaced
      ? `it looks after ${namespace === undefined ? 'the whole cluster' : `namespace ${namespace}`}, ours would look after ${home} alone: the others would have no controller`
      : `it looks after namespace ${namespace} alone, ours would look after the whole cluster`,
    remedy:
      namespace === undefined
        ? 'exchange it for the whole cluster: without -n'
        : `exchange it there: vedette migrate plan -n ${namespace}`,
  }
}

/** A controller of theirs that runs elsewhere and looks after this namespace too would take its objects back as often as ours takes them over. */
function besideSteps({ elsewhere }: Snapshot, { home }: Target): Step[] {
  return upstreamInstalls(elsewhere)
    .filter(({ role, namespace, replicas }) => role === 'controller' && replicas > 0 && (namespace ?? home) === home)
    .map(({ deployment, namespace }) => ({
      object: nameOf(deployment),
      fate: 'left',
      what: "Argo Events' controller of another namespace goes on",
      refusal: {
        reason: 'two-controllers',
        why: `it looks after ${namespace === undefined ? 'the whole cluster' : `namespace ${home}`}, and so after what ours is to take over`,
        remedy: namespace === undefined ? 'exchange it for the whole cluster: without -n' : 'end it first',
      },
    }))
}

const whatIsTaken: Record<string, string> = {
  Service: 'put aside and made anew: it leads to our controller then',
  ValidatingWebhookConfiguration: 'put aside and made anew for our webhook, which judges EventSources and EventBuses',
  PodDisruptionBudget: 'put aside; ours is applied over it',
  CustomResourceDefinition:
    'put aside; ours is applied over it: columns, scale and the schema of fields. Objects keep every field, also those of newer versions',
  ConfigMap: 'put aside; ours is applied over it',
}
const rights = 'put aside; ours is applied over it'

function takenStep(object: KubeObject, snapshot: Snapshot, { objects }: Target): Step {
  const anew = MADE_ANEW.includes(object.kind)
  const wanted = objects.find((one) => nameOf(one) === nameOf(object))!
  const versions = object.kind === 'ConfigMap' ? mergedConfig(object, wanted).kept : []
  const kept = versions.length === 0 ? '' : `. Your versions stay: ${versions.join(', ')}`
  return {
    object: nameOf(object),
    fate: anew ? 'replaced' : 'changed',
    what: `${whatIsTaken[object.kind] ?? rights}${kept}`,
    ...(object.kind === 'ValidatingWebhookConfiguration'
      ? { loses: 'objects get in unchecked for the moment between the two' }
      : {}),
    ...(snapshot.backup === null ? {} : { takes: 'nothing: it is put aside already' }),
  }
}

/** A configuration under another name (Helm's): what its user wrote into it goes into ours. */
function ownConfigSteps(installs: Install[], { configMaps }: Snapshot, { objects }: Target): Step[] {
  const ours = objects.find(({ kind }) => kind === 'ConfigMap')
  return configsOf(installs, configMaps)
    .filter((one) => ours !== undefined && nameOf(one) !== nameOf(ours))
    .map((one) => {
      const { kept } = mergedConfig(one, ours!)
      const what = kept.length === 0 ? 'it has nothing of your own in it' : `copied into ours: ${kept.join(', ')}`
      return { object: nameOf(one), fate: 'left', what: `the configuration of Argo Events' controller: ${what}` }
    })
}

/** The ConfigMaps that controllers mount as their configuration. */
export function configsOf(installs: readonly Install[], configMaps: readonly KubeObject[]): KubeObject[] {
  const mounted = installs
    .filter(({ role }) => role === 'controller')
    .flatMap(({ deployment: { metadata, spec } }) => {
      const { volumes = [] } = (spec as { template: { spec: { volumes?: { configMap?: { name: string } }[] } } })
        .template.spec
      return volumes.flatMap(({ configMap }) =>
        configMap === undefined ? [] : [`${metadata.namespace}/${configMap.name}`],
      )
    })
  return configMaps.filter(({ metadata: { namespace, name } }) => mounted.includes(`${namespace}/${name}`))
}

/** EventSources that work with the rights of the controller's own account. */
function rightsSteps({ eventSources, roles, clusterRoles }: Snapshot): Step[] {
  const users = eventSources.filter(
    ({ spec }) => (spec as { template?: { serviceAccountName?: string } }).template?.serviceAccountName === ACCOUNT,
  )
  const role = [...roles, ...clusterRoles].find(({ metadata: { name } }) => name === 'argo-events-role')
  if (users.length === 0 || role === undefined) return []
  const who = users.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`).join(', ')
  return [
    {
      object: `ServiceAccount ${ACCOUNT}`,
      fate: 'taken over',
      what: `these EventSources work with its rights: ${who}. Give each an account of its own before you take rights away`,
    },
  ]
}

const ACCOUNT = 'argo-events-sa'
