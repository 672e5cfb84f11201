/** The manifest of an SQS entry that reads a queue of a test server. */

export const queueManifest =
  ({ url, queue, replicas }: { url: string; queue: string; replicas: number }) =>
  () =>
    `apiVersion: v1
kind: Secret
metadata: { name: aws }
stringData: { id: test, key: test }
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: queues }
spec:
  replicas: ${replicas}
  sqs:
    orders:
      region: us-east-1
      queue: ${queue}
      endpoint: ${url}
      accessKey: { name: aws, key: id }
      secretKey: { name: aws, key: key }
      jsonBody: true
      waitTimeSeconds: 1
`
