/** The examples of the type `azureEventsHub`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'azure-events-hub',
    title: 'A hub of Azure Event Hubs, with two standbys (the Secret is of a policy that may listen)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: azure-event-hubs
stringData:
  sharedAccessKeyName: listen
  sharedAccessKey: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: azure-events-hub
spec:
  replicas: 3
  azureEventsHub:
    orders:
      fqdn: example.servicebus.windows.net
      hubName: orders
      # leave both out to use workload identity, or what else the process runs as
      sharedAccessKeyName:
        name: azure-event-hubs
        key: sharedAccessKeyName
      sharedAccessKey:
        name: azure-event-hubs
        key: sharedAccessKey
      filter:
        # the body is base64 text
        expression: fromJSON(fromBase64(body)).total > 100
`,
  },
  {
    name: 'azure-events-hub-identity',
    title: 'The same by workload identity: a service account that Microsoft Entra ID trusts, and no Secret',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: azure-events-hub-identity
spec:
  replicas: 3
  template:
    serviceAccountName: event-hubs-reader
    metadata:
      labels:
        azure.workload.identity/use: "true"
  azureEventsHub:
    orders:
      fqdn: example.servicebus.windows.net
      hubName: orders
`,
  },
]
