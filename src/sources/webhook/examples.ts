/** The examples of the type `webhook`: generated into examples/, printed by `vedette explain`. */
import type { Example } from '../../source.ts'

export const examples: Example[] = [
  {
    name: 'webhook',
    title: 'A webhook guarded by a token',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: orders-webhook
stringData:
  token: change-me
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: orders
spec:
  replicas: 2
  webhook:
    created:
      port: "12000"
      endpoint: /orders/created
      method: POST
      # curl -H 'Authorization: Bearer change-me' -H 'Content-Type: application/json' \\
      #      -H 'Idempotency-Key: order-17' -d '{"order":17}' http://localhost:12000/orders/created
      authSecret:
        name: orders-webhook
        key: token
      metadata:
        team: shop
`,
  },
  {
    name: 'webhook-signed',
    title: 'A webhook whose requests are signed (Standard Webhooks)',
    yaml: `apiVersion: v1
kind: Secret
metadata:
  name: payments-webhook
stringData:
  # may hold two lines while it is rotated: both are accepted
  signing: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: payments
spec:
  replicas: 2
  webhook:
    received:
      port: "12002"
      endpoint: /payments
      method: POST
      signature:
        secret:
          name: payments-webhook
          key: signing
      rateLimit:
        requestsPerSecond: 50
`,
  },
  {
    name: 'webhook-open',
    title: 'Two open webhooks on one port, one of them filtered',
    yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: open
spec:
  webhook:
    any:
      port: "12001"
      endpoint: /any
      method: POST
    large:
      port: "12001"
      endpoint: /tenants/{tenant}/orders
      method: POST
      maxPayloadSize: 65536
      filter:
        expression: body.total > 100
`,
  },
]
