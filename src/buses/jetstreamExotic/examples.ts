/** The examples of the kind `jetstreamExotic`: generated into examples/. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'eventbus-jetstream',
    title:
      'Events to a NATS JetStream of yours, which also elects: one tick each second, written by one of two replicas',
    yaml: `
# Needs a nats-server with JetStream (nats-server -js) at localhost:4222. The stream is made when it is missing.
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstreamExotic:
    url: nats://localhost:4222
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: clock
spec:
  replicas: 2
  calendar:
    tick:
      interval: 1s
`,
  },
]
