/** The examples of the type `emitter`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'emitter',
    title: 'A channel of an Emitter broker, with two hot standbys; put the key of your channel in',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: emitter
spec:
  replicas: 3
  emitter:
    orders:
      broker: tcp://localhost:8080
      channelName: orders
      channelKey: key-of-the-channel
      # the body is JSON and stands in the payload as it is
      jsonBody: true
`,
  },
]
