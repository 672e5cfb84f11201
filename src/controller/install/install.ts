/** Everything that an install applies, in the order in which it must be there. */
import type { KubeObject } from '../../kube/resources.ts'
import type { SourceDefinition } from '../../source.ts'
import { DEFAULT_NAMESPACE, DEFAULT_SENSOR_IMAGE, defaultImage } from '../settings.ts'
import { crds } from './crds.ts'
import { type ManagerOptions, manager, PRIORITY_CLASS } from './manager.ts'
import { ownWrites } from './ownWrites.ts'
import { CONTROLLER_ACCOUNT, rbac } from './rbac.ts'

export { DEFAULT_NAMESPACE }

export interface InstallOptions {
  definitions: readonly SourceDefinition<any, any>[]
  /** Where the controller runs. */
  namespace?: string
  /** It looks after its own namespace only, and needs no right beyond it (the CRDs and the namespace are still the cluster's). */
  namespaced?: boolean
  /** Of the controller and of EventSource Pods. Default: the one of this version, in no registry. */
  image?: string
  imagePullPolicy?: string
  sensorImage?: string
  podSecurity?: string
  /** With commas. */
  serviceAccounts?: string
  networkPolicies?: string
}

export function install(options: InstallOptions): KubeObject[] {
  const { namespace = DEFAULT_NAMESPACE } = options
  const home: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
  return [home, ...crds(options.definitions), ...workload(options)]
}

/** Without namespace and CRDs. @param more what differs from the defaults */
export function workload(
  { namespace = DEFAULT_NAMESPACE, namespaced = false, image, imagePullPolicy, sensorImage, ...rules }: InstallOptions,
  more: Partial<ManagerOptions> = {},
): KubeObject[] {
  const priorityClassName = namespaced ? undefined : PRIORITY_CLASS.metadata.name
  return [
    ...(namespaced ? [] : [PRIORITY_CLASS]),
    ...(namespaced ? [] : ownWrites(namespace)),
    ...rbac({ namespace, namespaced, networkPolicies: rules.networkPolicies !== undefined }),
    ...manager({
      namespace,
      namespaced,
      serviceAccount: CONTROLLER_ACCOUNT,
      image: image ?? defaultImage(),
      imagePullPolicy: imagePullPolicy ?? 'IfNotPresent',
      sensorImage: sensorImage ?? DEFAULT_SENSOR_IMAGE,
      replicas: 2,
      priorityClassName,
      options: optionsOf(rules),
      ...more,
    }),
  ]
}

/** Of `vedette controller`. */
function optionsOf({ podSecurity, serviceAccounts, networkPolicies }: Partial<InstallOptions>): string[] {
  return [
    ...(podSecurity === undefined ? [] : ['--pod-security', podSecurity]),
    ...(serviceAccounts === undefined ? [] : ['--service-accounts', serviceAccounts]),
    ...(networkPolicies === undefined ? [] : ['--network-policies', networkPolicies]),
  ]
}
