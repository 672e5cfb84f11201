/** The examples of the type `pubSub`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'pubsub',
    title: 'A topic of GCP Pub/Sub, with two standbys; needs credentials',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: pubsub
spec:
  replicas: 3
  pubSub:
    orders:
      projectID: my-project
      topic: orders
      # made when it is missing
      subscriptionID: orders-vedette
      # without it: the application default credentials
      credentialSecret:
        name: gcp
        key: key.json
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
