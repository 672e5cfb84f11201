/** The Helm chart: the same objects, with values where users differ. */
import { stringify } from 'yaml'
import type { KubeObject } from '../../kube/resources.ts'
import { version } from '../../local/version.ts'
import { DEFAULT_POD_SECURITY } from '../../manifest/podStandards.ts'
import { DEFAULT_SENSOR_IMAGE, IMAGE_NAME } from '../settings.ts'
import { yamlText } from '../yamlText.ts'
import { crds } from './crds.ts'
import { type InstallOptions, workload } from './install.ts'

/** A word that stands in the objects where the template gets an expression. */
const values = {
  xNamespacex: '{{ .Release.Namespace }}',
  xImagex: '{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}',
  xPullPolicyx: '{{ .Values.image.pullPolicy }}',
  xSensorImagex: '{{ .Values.sensors.image }}',
  xReplicasx: '{{ .Values.replicas }}',
  xPodSecurityx: '{{ .Values.podSecurity }}',
  xServiceAccountsx: '{{ .Values.serviceAccounts }}',
  xNetworkPoliciesx: '{{ .Values.networkPolicies }}',
}

/** Path in the chart → content. */
export function chart({ definitions }: Pick<InstallOptions, 'definitions'>): Map<string, string> {
  const options = (namespaced: boolean): InstallOptions => ({
    definitions,
    namespaced,
    namespace: 'xNamespacex',
    image: 'xImagex',
    imagePullPolicy: 'xPullPolicyx',
    sensorImage: 'xSensorImagex',
    podSecurity: 'xPodSecurityx',
    serviceAccounts: 'xServiceAccountsx',
    networkPolicies: 'xNetworkPoliciesx',
  })
  const [cluster, own] = [false, true].map((namespaced) =>
    template(workload(options(namespaced), { replicas: 'xReplicasx' })),
  )
  return new Map([
    [
      'Chart.yaml',
      stringify({
        ...{ apiVersion: 'v2', name: 'vedette', description, type: 'application' },
        ...{ version: version(), appVersion: version() },
      }),
    ],
    ['values.yaml', valuesFile],
    ['crds/crds.yaml', yamlText(crds(definitions))],
    ['templates/controller.yaml', `{{- if .Values.namespaced }}\n${own}{{- else }}\n${cluster}{{- end }}\n`],
  ])
}

/** Options that are there when their value is. */
const onlyWithValue = {
  serviceAccounts: / *- --service-accounts\n.*\n/,
  networkPolicies: / *- --network-policies\n.*\n/,
}
/** The right that NetworkPolicies need. */
const RULE = / {2}- apiGroups:\n {6}- networking\.k8s\.io\n( {4}.*\n)+/

const description = 'Highly available event sources: the EventSource and EventBus half of Argo Events'

function template(objects: KubeObject[]): string {
  let text = yamlText(objects)
  for (const [value, lines] of Object.entries(onlyWithValue))
    text = text.replace(lines, `{{- if .Values.${value} }}\n$&{{- end }}\n`)
  text = text.replace(RULE, '{{- if .Values.networkPolicies }}\n$&{{- end }}\n')
  for (const [word, expression] of Object.entries(values)) {
    // A number may not be quoted, a text must be.
    const quoted = word === 'xReplicasx' ? expression : `${expression.slice(0, -3)} | quote }}`
    text = text.replaceAll(word, quoted)
  }
  return text
}

const valuesFile = `# Image of the controller and of the EventSource Pods.
image:
  # Where it was pushed to, for example registry.example/vedette.
  repository: ${IMAGE_NAME}
  # Default: the version of the chart.
  tag: ""
  pullPolicy: IfNotPresent
# Replicas of the controller; one of them leads.
replicas: 2
# True: only the release's namespace is looked after, and nothing beyond it may be touched.
namespaced: false
# Of the Pods that objects ask for: restricted, baseline or as-written.
podSecurity: ${DEFAULT_POD_SECURITY}
# ServiceAccounts that they may run as beside default, with commas: name or namespace/name. Empty: any, with restricted none.
serviceAccounts: ""
# on: NetworkPolicies for EventSources and native buses, and the right to make them; off: they are removed. Empty: neither.
networkPolicies: ""
sensors:
  # Upstream's image for the Pods of Sensors.
  image: ${DEFAULT_SENSOR_IMAGE}
`
