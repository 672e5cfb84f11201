/** The examples of the type `nsq`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'nsq',
    title: 'A topic of NSQ, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: nsq
spec:
  replicas: 3
  nsq:
    orders:
      # nsqlookupd
      hostAddress: localhost:4161
      topic: orders
      channel: vedette
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
