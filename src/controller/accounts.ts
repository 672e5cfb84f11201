/** Who runs as the account of a controller, and so may do what it may: read Secrets, change workloads. */
import { type Condition, warning } from './conditions.ts'
import { CONTROLLER_ACCOUNT } from './install/rbac.ts'

/** Argo Events' controller's, by its manifests and by its Helm chart: what it could, its account can until it is taken away. */
const UPSTREAMS = ['argo-events-sa', 'argo-events-controller-manager']

/** @param home the namespace of the controller: elsewhere an account of such a name is somebody's own */
export function accountWarning(home: string, namespace: string, account: string | undefined): Condition | null {
  if (namespace !== home || account === undefined) return null
  const ours = account === CONTROLLER_ACCOUNT
  if (!ours && !UPSTREAMS.includes(account)) return null
  const whose = ours ? "this controller's account" : "the account of Argo Events' controller"
  const keeps = ours ? '' : ', which this install leaves as they are'
  return warning(
    'ControllerAccount',
    'ControllerAccount',
    `its Pods run as "${account}", ${whose}, with its rights over Secrets and workloads${keeps}: ` +
      'give them an account of their own by spec.template.serviceAccountName',
  )
}
