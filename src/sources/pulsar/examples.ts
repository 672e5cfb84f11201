/** The examples of the type `pulsar`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'pulsar',
    title: 'A topic of Pulsar, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: pulsar
spec:
  replicas: 3
  pulsar:
    # also the name of the subscription
    orders:
      url: pulsar://localhost:6650
      topics: [orders]
      type: exclusive
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
