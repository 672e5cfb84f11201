/** The EventSource `orders` that the webhook tests run: one entry `order` on the rig's first free port. */
import type { Rig } from './rig.ts'

export const orders =
  (replicas: number) =>
  ([port]: number[]): string =>
    `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: orders
spec:
  replicas: ${replicas}
  webhook:
    order:
      port: "${port}"
      endpoint: /orders
      method: POST
`

export const ordersUrl = (rig: Rig): string => `http://127.0.0.1:${rig.ports[0]}/orders`
