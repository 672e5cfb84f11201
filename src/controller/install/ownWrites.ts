/**
 * What a Role cannot say: of all Secrets and ConfigMaps the controller writes its own and no other, by name. Only of an install for the cluster, since a policy is the
 * cluster's (Kubernetes 1.30 and newer). It binds the controller's account and nobody else.
 */
import type { KubeObject } from '../../kube/resources.ts'
import { CONTROLLER_ACCOUNT, WEBHOOK_CERTS } from './rbac.ts'

export const OWN_WRITES = 'vedette-controller-writes'

/** Those of native buses and of the users on them in any namespace, and the webhook's certificate in its own. */
const SECRETS = '^eventbus-.*-js-(server|client-auth|user-.*)$'
const CONFIG_MAPS = '^eventbus-.*-js-config$'

export function ownWrites(namespace: string): KubeObject[] {
  const name = OWN_WRITES
  const apiVersion = 'admissionregistration.k8s.io/v1'
  const account = `system:serviceaccount:${namespace}:${CONTROLLER_ACCOUNT}`
  const certificate = `object.metadata.name == '${WEBHOOK_CERTS}' && object.metadata.namespace == '${namespace}'`
  const secrets = `object.metadata.name.matches('${SECRETS}') || (${certificate})`
  const configMaps = `object.metadata.name.matches('${CONFIG_MAPS}')`
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: [''],
              apiVersions: ['v1'],
              operations: ['CREATE', 'UPDATE'],
              resources: ['secrets', 'configmaps'],
            },
          ],
        },
        matchConditions: [{ name: 'the-controller', expression: `request.userInfo.username == '${account}'` }],
        validations: [
          {
            expression: `request.resource.resource == 'secrets' ? (${secrets}) : (${configMaps})`,
            message:
              'the controller of Vedette writes the Secrets and ConfigMaps of native buses, and its own certificate, only',
          },
        ],
      },
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ]
}
