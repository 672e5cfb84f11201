/** `spec.template` and `spec.service`: our fields are known, Kubernetes' own structures inside are passed on unread. */
import { z } from 'zod'

const strings = z.record(z.string(), z.string()).optional()
const native = z.unknown().optional()
const natives = z.array(z.unknown()).optional()

const metadata = z
  .object({ annotations: strings.describe('Annotations to add.'), labels: strings.describe('Labels to add.') })
  .optional()

export const templateSchema = z.object({
  metadata: metadata.describe('Labels and annotations of the Pods.'),
  serviceAccountName: z.string().optional().describe('The ServiceAccount that the Pods run as.'),
  container: z
    .object({
      resources: native.describe('Requests and limits.'),
      imagePullPolicy: z.string().optional().describe('When the image is pulled.'),
      securityContext: native.describe('Security context of the container.'),
      volumeMounts: natives.describe('Where volumes are mounted.'),
      env: natives.describe('Environment variables.'),
      envFrom: natives.describe('Sources of environment variables.'),
    })
    .optional()
    .describe('The container in which the replica runs.'),
  volumes: natives.describe('Volumes of the Pod.'),
  securityContext: native.describe('Security context of the Pod.'),
  nodeSelector: strings.describe('Labels that a node must have.'),
  tolerations: natives.describe('Taints that are tolerated.'),
  imagePullSecrets: natives.describe('Secrets for pulling the image.'),
  priorityClassName: z.string().optional().describe('Priority class of the Pod.'),
  priority: z.int32().optional().describe('Priority of the Pod.'),
  affinity: native.describe('Affinity of the Pod.'),
  topologySpreadConstraints: natives.describe(
    'How the Pods are spread over nodes and zones, instead of the preferred spread over both. Unknown to Argo Events.',
  ),
})

export const serviceSchema = z.object({
  metadata: metadata.describe('Labels and annotations of the Service.'),
  ports: natives.describe('Ports of the Service; an empty list makes no Service.'),
  clusterIP: z.string().optional().describe('The cluster IP; `None` makes it headless.'),
})
