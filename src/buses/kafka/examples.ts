/** The examples of the kind `kafka`: generated into examples/. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'eventbus-kafka',
    title:
      "Events to a Kafka of yours, elected by this machine's store: one tick each second, written by one of two replicas",
    yaml: `
# Needs a Kafka at localhost:9092. The topic is made when it is missing.
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  kafka:
    url: localhost:9092
    topic: events
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
