/** The examples of the type `redis`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'redis',
    title: 'A channel of Redis Pub/Sub, with two hot standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: redis
spec:
  replicas: 3
  redis:
    orders:
      hostAddress: localhost:6379
      channels:
        - orders
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
