/** The examples of the type `resource`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'resource',
    title:
      'ConfigMaps of a namespace, with two standbys; needs a kubeconfig, or a ServiceAccount that may list and watch',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: resource
spec:
  replicas: 3
  template:
    # in a cluster: a ServiceAccount with list and watch on configmaps
    serviceAccountName: watch-configmaps
  resource:
    configmaps:
      namespace: default
      group: ""
      version: v1
      resource: configmaps
      eventTypes:
        - ADD
        - UPDATE
        - DELETE
      filter:
        afterStart: true
        labels:
          - key: app
            value: orders
`,
  },
]
