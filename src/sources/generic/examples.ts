/** The examples of the type `generic`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'generic',
    title: 'A gRPC server of your own, which can go back to an event by its name',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: generic
spec:
  replicas: 3
  generic:
    orders:
      url: localhost:8080
      # no TLS
      insecure: true
      # whatever the server wants to be told
      config: |
        {"queue": "orders"}
      # the server names each event, and goes on after the last one that was stored
      uniqueNames: true
      # the payload is JSON and stands in the event as it is
      jsonBody: true
`,
  },
]
