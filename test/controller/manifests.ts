/** Objects of a user, as the controller's tests write them down; each text ends its document. */

export const bus = (namespace: string, spec = 'jetstreamExotic: { url: nats://nats:4222 }') => `
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: { name: default, namespace: ${namespace} }
spec: { ${spec} }
---
`

/** The EventSource `orders`. @param metadata more members of it, with a comma before */
export const source = (namespace: string, spec: string, metadata = '') => `
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: { name: orders, namespace: ${namespace}${metadata} }
spec: { ${spec} }
---
`

export const webhook = 'webhook: { order: { port: "12000", endpoint: /orders, method: POST } }'
