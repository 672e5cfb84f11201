/** The examples of the type `stripe`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'stripe',
    title: 'Payments of a Stripe account, with an endpoint that is made and verified',
    yaml: `# Needs a Stripe account, and a URL under which Stripe reaches port 12000.
apiVersion: v1
kind: Secret
metadata:
  name: stripe
stringData:
  api-key: rk_test_change_me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: payments
spec:
  replicas: 2
  stripe:
    charges:
      createWebhook: true
      apiKey:
        name: stripe
        key: api-key
      eventFilter:
        - charge.succeeded
        - charge.failed
      webhook:
        port: "12000"
        endpoint: /stripe
        method: POST
        url: https://events.example.com
`,
  },
]
