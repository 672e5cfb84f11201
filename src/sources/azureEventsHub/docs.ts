/** The prose and the examples of the Event Hubs page. */
import type { Example } from '../../source.ts'
import { IN_FLIGHT } from './serve.ts'

export const docs = `
The replica that serves reads all partitions, as consumer group \`$Default\`, each in its order and all side by side. The last sequence number of every partition is written to the bus together with the events: the next leader
goes on after it. Nothing is stored in Azure, no checkpoint and no storage account. The first time an entry begins with what comes, as in Argo Events.

Up to ${IN_FLIGHT} events are under way, in all partitions together. Standbys are connected and authorized; they receive nothing. Readers of \`$Default\` share a partition, at most five of them; this one takes it from nobody.

The connection is AMQP 1.0 over TLS, to port 5671 of \`fqdn\`. With \`sharedAccessKeyName\` and \`sharedAccessKey\` tokens are signed with a shared access key, which needs the right to listen. Without them Microsoft Entra ID gives the tokens, to what the process
runs as: environment variables, workload identity, managed identity, \`az login\` (the chain of DefaultAzureCredential); it needs the role *Azure Event Hubs Data Receiver*. Tokens are renewed before they end. For workload identity in Kubernetes
set \`spec.template.serviceAccountName\`, and the label \`azure.workload.identity/use: "true"\` in \`spec.template.metadata.labels\`.

A key in a Secret is the bare key, not a connection string: from \`Endpoint=sb://<fqdn>/;SharedAccessKeyName=<name>;SharedAccessKey=<key>;EntityPath=<hub>\` take the four values.

\`useDevelopmentEmulator\` is for Microsoft's emulator on a developer's machine, which has no TLS.

## What stays at the origin

Nothing: no checkpoint, no consumer group of its own.

## When something fails

| what happens | events |
|---|---|
| the serving replica is killed or frozen | the next one goes on after the last sequence number of each partition: nothing lost, nothing doubled |
| the connection or a partition's link breaks | connected again with growing pauses, for ever; goes on after the last sequence number |
| the connection is silent | the hub is asked every 5 s; without an answer for 10 s it is connected anew |
| partitions are added | found within 5 s and read from their start |
| retention removed what was not yet read | counted as skipped and shown, with the sequence numbers; goes on with the earliest that is there |
| the hub is deleted and made anew | read from its start; the ids of its events differ from those of the old one |
| sequence numbers end before the one that was read (the namespace failed over and lost some) | counted as skipped and shown; goes on after the last that is there |
| the host is not known, nothing listens, TLS, the key, the role, the hub are wrong | status says which; tried again, with Secrets read anew |
| a key is replaced | when the service closes the links, or the token ends, the Secret is read anew |
| five other readers have a partition | status says so; tried again |
| the bus takes nothing | no more is read than ${IN_FLIGHT} events |

## What differs from Argo Events

- A new leader goes on after the last event that is on the bus. There it begins with what comes, and what came in between is lost.
- An event without message-id has the \`id\` \`""\`; there it crashes the Pod. A message-id that is a number, or bytes, is written in decimal, or in hex; there it crashes too.
- A body of several data sections is put together, and one that is an AMQP value or sequence becomes its text or JSON, then base64; there such a body is empty.
- New partitions are found; there they are read after a restart, as are those whose link broke.
- \`useDevelopmentEmulator\` is unknown there.
`.trim()

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
