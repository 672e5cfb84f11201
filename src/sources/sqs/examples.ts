/** The examples of the type `sqs`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'sqs',
    title: 'JSON messages of an SQS queue, poison left to its dead-letter queue',
    yaml: `# Needs a queue "orders". To try it without AWS, run LocalStack or ElasticMQ and set endpoint to its URL.
apiVersion: v1
kind: Secret
metadata:
  name: aws
stringData:
  accesskey: change-me
  secretkey: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: queues
spec:
  replicas: 3
  sqs:
    orders:
      region: us-east-1
      queue: orders
      # Left out: the default chain (IRSA, instance profile, ...).
      accessKey:
        name: aws
        key: accesskey
      secretKey:
        name: aws
        key: secretkey
      # endpoint: http://localhost:4566
      waitTimeSeconds: 20
      jsonBody: true
      dlq: true
`,
  },
]
