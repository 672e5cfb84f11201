/**
 * Sensor → the Deployment that upstream makes, with upstream's image, so that upstream's controller can be removed. Nothing is
 * added: these Pods are not ours. (reconciler/sensor/resource.go: as the EventSource's, with `sensor` for `eventsource`.)
 */

import type { KubeObject } from '../kube/resources.ts'
import { containerSecurity, podSecurity } from '../manifest/podDefaults.ts'
import type { PodSecurity } from '../manifest/podStandards.ts'
import type { BusConfig } from './busConfig.ts'
import { ELECTION_ANNOTATION } from './eventSource.ts'
import { compact, encoded, type Owner, owned, ownerLabels } from './objects.ts'
import { busEnv, podTemplate } from './template.ts'
import { volumesOf } from './volumes.ts'

export interface SensorInput {
  /** The Sensor, as the API gives it. */
  sensor: KubeObject
  bus: BusConfig
  image: string
  imagePullPolicy: string
  /** The Deployment that is already there. */
  deploymentName?: string | undefined
  /** With `restricted` they get the defaults of that level, where the Sensor is silent. */
  level?: PodSecurity | undefined
}

export function sensorObjects({
  sensor,
  bus,
  image,
  imagePullPolicy,
  deploymentName,
  level,
}: SensorInput): KubeObject[] {
  const { name, namespace = 'default', uid } = sensor.metadata
  const owner: Owner = { kind: 'Sensor', namespace, name, uid }
  const labels = ownerLabels(owner)
  const spec = (sensor.spec ?? {}) as Record<string, any>
  const { template, replicas, revisionHistoryLimit } = spec
  const object = { metadata: { name, namespace, creationTimestamp: null }, spec, status: {} }
  const env = [
    { name: 'SENSOR_OBJECT', value: encoded(object) },
    ...busEnv(namespace, sensor.metadata.annotations?.[ELECTION_ANNOTATION], encoded(bus)),
  ]
  return [
    owned(owner, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: deploymentName ?? `${name}-sensor`, labels: { ...sensor.metadata.labels, ...labels } },
      spec: {
        replicas: Math.max(1, replicas ?? 1),
        ...compact({ revisionHistoryLimit }),
        selector: { matchLabels: labels },
        template: podTemplate({
          template,
          labels,
          image,
          imagePullPolicy,
          command: 'sensor-service',
          env,
          ...volumesOf(bus, [spec]),
          ...(level === 'restricted' ? { security: restrictedSecurity(template) } : {}),
        }),
      },
    }),
  ]
}

function restrictedSecurity(template: Record<string, any> | undefined): { container: object; pod: object } {
  const own = template?.container?.securityContext
  // Argo Events' image writes nothing outside of /tmp either, but that is not asked for by any level.
  const { readOnlyRootFilesystem: _, ...container } = containerSecurity(own)
  const readOnly = own?.readOnlyRootFilesystem
  return {
    container: { ...container, ...(readOnly === undefined ? {} : { readOnlyRootFilesystem: readOnly }) },
    pod: podSecurity(template?.securityContext, [own]),
  }
}
