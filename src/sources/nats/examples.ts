/** The examples of the type `nats`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'nats',
    title: 'A subject of core NATS, with two hot standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: nats
spec:
  replicas: 3
  nats:
    orders:
      url: nats://localhost:4222
      subject: orders.*
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
