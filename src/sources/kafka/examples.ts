/** The examples of the type `kafka`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'kafka',
    title: 'A topic of Kafka with a consumer group, and two standbys',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: kafka
spec:
  replicas: 3
  kafka:
    orders:
      url: localhost:9092
      topic: orders
      # the body is JSON and stands in the payload as it is
      jsonBody: true
      consumerGroup:
        groupName: vedette-orders
        oldest: true
`,
  },
  {
    name: 'kafka-msk',
    title: 'A topic of Amazon MSK, with a login by AWS IAM',
    yaml: `# Needs an MSK cluster with IAM access control, and credentials of AWS where Vedette runs: on EKS the role of the ServiceAccount.
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: kafka-msk
spec:
  kafka:
    orders:
      url: b-1.orders.abc123.c2.kafka.eu-central-1.amazonaws.com:9098
      topic: orders
      awsMskIamAuth:
        region: eu-central-1
      consumerGroup:
        groupName: vedette-orders
`,
  },
  {
    name: 'kafka-avro',
    title: 'Avro messages, whose schemas a registry has',
    yaml: `# Needs a Kafka with a topic "payments" and a schema registry, such as Confluent's or Apicurio's.
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: kafka-avro
spec:
  kafka:
    payments:
      url: localhost:9092
      topic: payments
      jsonBody: true
      schemaRegistry:
        url: http://localhost:8081
        # auth:
        #   username: { name: registry, key: username }
        #   password: { name: registry, key: password }
      consumerGroup:
        groupName: vedette-payments
`,
  },
]
