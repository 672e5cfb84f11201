/** The examples of the type `sns`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'sns',
    title: 'Signed notifications of an SNS topic',
    yaml: `# Needs a topic, and a URL under which SNS reaches port 12000. Credentials come from the default chain.
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: notifications
spec:
  replicas: 2
  sns:
    orders:
      topicArn: arn:aws:sns:us-east-1:123456789012:orders
      region: us-east-1
      validateSignature: true
      webhook:
        port: "12000"
        endpoint: /sns
        method: POST
        url: https://events.example.com
`,
  },
]
