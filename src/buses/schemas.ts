/** Schemas of fields that several kinds have, with upstream's names and decoding: nothing is required, and what is left out stays out. */
import { z } from 'zod'
import type { SecretKeySelector } from '../source.ts'

export const text = (description: string) => z.string().optional().describe(description)
export const whole = (description: string) => z.int32().optional().describe(description)
export const count = (description: string) => z.int().nonnegative().optional().describe(description)
/** A member that is missing stays missing, since Pods are told what is written; who reads the Secret says that it is not there. */
const secretKeySelector = z.object({
  name: text('Name of the Secret, in the namespace of the EventBus.'),
  key: text("The Secret's key whose value is used."),
  optional: z.boolean().optional().describe('Accepted for compatibility; ignored.'),
}) as z.ZodType<unknown> as z.ZodType<SecretKeySelector>
export const selector = (description: string) => secretKeySelector.optional().describe(description)
/** A structure of Kubernetes, which its API server checks. */
const native = (description: string) => z.unknown().optional().describe(description)
const natives = (description: string) => z.array(z.unknown()).optional().describe(description)
const strings = (description: string) => z.record(z.string(), z.string()).optional().describe(description)

export const tls = z
  .object({
    caCertSecret: selector('PEM certificates of the authorities to trust.'),
    clientCertSecret: selector('PEM certificate of the client, with `clientKeySecret`.'),
    clientKeySecret: selector('PEM key of the client certificate.'),
    insecureSkipVerify: z.boolean().optional().describe("Do not verify the server's certificate."),
    enabled: z.boolean().optional().describe('Accepted for compatibility: `tls` alone turns TLS on.'),
  })
  .optional()
export type BusTls = NonNullable<z.output<typeof tls>>

export const containerTemplate = (container: string) =>
  z
    .object({
      resources: native('Requests and limits.'),
      imagePullPolicy: text('`Always`, `IfNotPresent` or `Never`.'),
      securityContext: native(
        'Security settings of the container; those that the restricted level asks for are added.',
      ),
    })
    .optional()
    .describe(`Settings of the container \`${container}\`.`)

/** Of kinds whose servers are Pods. */
export const pods = {
  containerTemplate: containerTemplate('main'),
  metricsContainerTemplate: containerTemplate('metrics'),
  persistence: z
    .object({
      storageClassName: text('Left out: the default class of the cluster.'),
      accessMode: text('Left out: `ReadWriteOnce`.'),
      volumeSize: native('Of each disk, as a quantity of Kubernetes; left out: `20Gi`.'),
    })
    .optional()
    .describe('A disk for each server.'),
  metadata: z
    .object({
      annotations: strings('Annotations of the Pods.'),
      labels: strings('Labels of the Pods.'),
    })
    .optional()
    .describe('What the Pods carry besides.'),
  nodeSelector: strings('Labels that the nodes of the Pods must have.'),
  tolerations: natives('Taints of nodes that the Pods tolerate.'),
  securityContext: native('Security settings of the Pods.'),
  imagePullSecrets: natives('Logins of a private registry.'),
  priorityClassName: text('The class of priority of the Pods.'),
  priority: whole('The priority of the Pods.'),
  affinity: native('Which nodes the Pods are drawn to; left out: each to a node of its own, where there is one.'),
  serviceAccountName: text('The service account of the Pods; left out: `default`, without its token.'),
  maxPayload: text('The largest message; left out: `1MB`.'),
}
