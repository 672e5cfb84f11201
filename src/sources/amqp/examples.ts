/** The examples of the type `amqp`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'amqp',
    title: 'A durable queue of RabbitMQ, with two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: amqp
spec:
  replicas: 3
  amqp:
    orders:
      url: amqp://guest:guest@localhost:5672
      exchangeName: orders
      exchangeType: direct
      routingKey: order
      # the body is JSON and stands in the payload as it is
      jsonBody: true
      queueDeclare:
        name: vedette-orders
        durable: true
      consume:
        consumerTag: vedette
`,
  },
  {
    name: 'amqp-stream',
    title: 'A stream of RabbitMQ, read on where it was left',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: amqp-stream
spec:
  replicas: 3
  amqp:
    history:
      url: amqp://guest:guest@localhost:5672
      exchangeName: history
      exchangeType: fanout
      # a fanout exchange does not look at it
      routingKey: all
      jsonBody: true
      queueDeclare:
        name: history
        durable: true
        arguments: "x-queue-type: stream"
      consume:
        # where the very first start begins; without it: with what comes
        arguments: "x-stream-offset: first"
`,
  },
]
