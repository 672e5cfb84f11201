/** The controller's own Deployment and what stands beside it. Names are upstream's: applied over an install of it, this takes its place. */
import { stringify } from 'yaml'
import type { KubeObject } from '../../kube/resources.ts'
import { containerSecurity, podSecurity } from '../../manifest/podDefaults.ts'
import { CONTROLLER_LABELS } from '../networkPolicy.ts'
import { shippedJetstream } from '../settings.ts'
import { antiAffinity } from '../spread.ts'
import { WEBHOOK_NAME } from './rbac.ts'

export const HEALTH_PORT = 8081
export const METRICS_PORT = 7777
export const WEBHOOK_PORT = 8443
export const WEBHOOK_SERVICE = 'events-webhook'
const NAME = 'controller-manager'
const CONFIG = 'argo-events-controller-config'
export const CONFIG_FILE = '/etc/argo-events/controller-config.yaml'

export interface ManagerOptions {
  namespace: string
  serviceAccount: string
  image: string
  imagePullPolicy: string
  sensorImage: string
  replicas: number | string
  namespaced: boolean
  priorityClassName?: string | undefined
  /** Further ones of `vedette controller`. */
  options?: readonly string[]
}

const labels = CONTROLLER_LABELS

export function manager(options: ManagerOptions): KubeObject[] {
  const { namespace, namespaced } = options
  return [
    configMap(namespace),
    ...(namespaced ? [] : [webhookService(namespace), webhookConfiguration(namespace)]),
    deployment(options),
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: NAME, namespace },
      spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
    },
  ]
}

/** Upstream's file: versions of native buses, and their defaults. */
function configMap(namespace: string): KubeObject {
  const { settings, streamConfig, versions } = shippedJetstream
  const text = stringify({ eventBus: { jetstream: { settings, streamConfig, versions } } }, { lineWidth: 0 })
  const file = CONFIG_FILE.split('/').at(-1)!
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG, namespace }, data: { [file]: text } }
}

function deployment(options: ManagerOptions): KubeObject {
  const { namespace, namespaced, image, imagePullPolicy, serviceAccount, replicas, sensorImage } = options
  const { priorityClassName } = options
  const probe = (path: string) => ({
    httpGet: { path, port: HEALTH_PORT },
    initialDelaySeconds: 3,
    periodSeconds: 3,
    timeoutSeconds: 3,
  })
  const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } })
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME, namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: serviceAccount,
          securityContext: podSecurity({ runAsUser: 9731 }),
          affinity: antiAffinity(labels),
          containers: [
            {
              name: NAME,
              image,
              imagePullPolicy,
              args: ['controller', ...(namespaced ? ['--namespaced'] : ['--webhook']), ...(options.options ?? [])],
              env: [
                { name: 'NAMESPACE', ...field('metadata.namespace') },
                { name: 'POD_NAME', ...field('metadata.name') },
                { name: 'VEDETTE_IMAGE', value: image },
                { name: 'IMAGE_PULL_POLICY', value: imagePullPolicy },
                { name: 'ARGO_EVENTS_IMAGE', value: sensorImage },
                ...(priorityClassName === undefined
                  ? []
                  : [{ name: 'EVENTBUS_PRIORITY_CLASS', value: priorityClassName }]),
              ],
              ports: [
                { name: 'metrics', containerPort: METRICS_PORT },
                { name: 'health', containerPort: HEALTH_PORT },
                ...(namespaced ? [] : [{ name: 'webhook', containerPort: WEBHOOK_PORT }]),
              ],
              livenessProbe: { ...probe('/healthz'), failureThreshold: 10 },
              readinessProbe: probe('/readyz'),
              resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
              securityContext: containerSecurity(undefined),
              volumeMounts: [
                { name: 'controller-config', mountPath: '/etc/argo-events' },
                { name: 'tmp', mountPath: '/tmp' },
              ],
            },
          ],
          volumes: [
            { name: 'controller-config', configMap: { name: CONFIG } },
            { name: 'tmp', emptyDir: {} },
          ],
        },
      },
    },
  }
}

function webhookService(namespace: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: WEBHOOK_SERVICE, namespace },
    spec: { ports: [{ port: 443, targetPort: WEBHOOK_PORT }], selector: labels },
  }
}

/** Without its `caBundle`, which the controller adds. A controller that is down keeps nobody from writing objects. */
export function webhookConfiguration(namespace: string, caBundle?: string): KubeObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: WEBHOOK_NAME },
    webhooks: [
      {
        name: WEBHOOK_NAME,
        admissionReviewVersions: ['v1'],
        clientConfig: {
          service: { name: WEBHOOK_SERVICE, namespace, path: '/validate', port: 443 },
          ...(caBundle === undefined ? {} : { caBundle }),
        },
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds: 5,
        rules: [
          {
            apiGroups: ['argoproj.io'],
            apiVersions: ['v1alpha1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['eventsources', 'eventbus'],
            scope: 'Namespaced',
          },
        ],
      },
    ],
  }
}

/** The bus goes down last: everything else waits for it. */
export const PRIORITY_CLASS: KubeObject = {
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name: 'vedette-eventbus' },
  value: 1_000_000,
  globalDefault: false,
  description: 'Servers of native EventBuses.',
}
