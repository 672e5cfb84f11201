/** Whose controllers and Pods are on a cluster: told by what runs in them, whatever their names are. */
import type { KubeObject } from '../../kube/resources.ts'

type Container = { image?: string; command?: string[]; args?: string[]; env?: { name: string; value?: string }[] }

export interface Install {
  deployment: KubeObject
  /** `controller` reconciles objects, `webhook` judges them. */
  role: 'controller' | 'webhook'
  image: string
  replicas: number
  /** The one namespace that it looks after; absent: all. */
  namespace?: string | undefined
  /** False: it works without a Lease, so nothing but its end keeps it from working beside another. */
  elects: boolean
  /** Who would put it back: Helm acts when its user does, the others by themselves. */
  keeper?: 'Helm' | 'Argo CD' | 'Flux' | undefined
}

/** Commands of upstream's program: one process today, one for each kind before 1.7. */
const CONTROLLERS = ['controller', 'eventbus-controller', 'eventsource-controller', 'sensor-controller']
const WEBHOOKS = ['webhook-service']

/** Argo Events' controllers and webhooks. */
export function upstreamInstalls(deployments: readonly KubeObject[]): Install[] {
  return deployments.flatMap((deployment) => {
    const found = containersOf(deployment).find((one) => roleOf(one) !== null && !isOurs(one))
    if (found === undefined) return []
    const words = wordsOf(found)
    return [
      {
        deployment,
        role: roleOf(found)!,
        image: found.image ?? '',
        replicas: replicasOf(deployment),
        namespace: words.some((word) => /^--namespaced(=true)?$/.test(word)) ? managedOf(words, deployment) : undefined,
        elects: !words.some((word) => /^--leader-election=false$/i.test(word)),
        keeper: keeperOf(deployment),
      },
    ]
  })
}

/** Vedette's controllers. */
export function ourInstalls(deployments: readonly KubeObject[]): KubeObject[] {
  return deployments.filter((deployment) =>
    containersOf(deployment).some((one) => wordsOf(one)[0] === 'controller' && isOurs(one)),
  )
}

export function replicasOf({ spec }: KubeObject): number {
  return (spec as { replicas?: number } | undefined)?.replicas ?? 1
}

/** The image of the container that does the work. */
export function imageOf(workload: KubeObject | undefined): string | undefined {
  const containers = workload === undefined ? [] : containersOf(workload)
  return (containers.find(({ name }) => name === 'main') ?? containers[0])?.image
}

function containersOf({ spec }: KubeObject): (Container & { name?: string })[] {
  return (spec as { template?: { spec?: { containers?: Container[] } } } | undefined)?.template?.spec?.containers ?? []
}

const wordsOf = ({ command = [], args = [] }: Container) =>
  [...command, ...args].filter((word) => !/(^|\/)argo-events$/.test(word))

/** Our controller is told its Pods' image by this name, theirs by ARGO_EVENTS_IMAGE alone. */
const isOurs = ({ env = [] }: Container) => env.some(({ name }) => name === 'VEDETTE_IMAGE')

/** @returns null for whatever is not upstream's: by its image's name, or, where a registry of one's own has renamed it, by its environment */
function roleOf(container: Container): Install['role'] | null {
  const { image = '', env = [] } = container
  const known = /argo-events/.test(image) || env.some(({ name }) => name === 'ARGO_EVENTS_IMAGE') || isOurs(container)
  const [word = ''] = wordsOf(container)
  if (!known) return null
  return CONTROLLERS.includes(word) ? 'controller' : WEBHOOKS.includes(word) ? 'webhook' : null
}

function managedOf(words: string[], { metadata }: KubeObject): string | undefined {
  const at = words.findIndex((word) => /^--managed-namespace(=|$)/.test(word))
  if (at < 0) return metadata.namespace
  return words[at]!.includes('=') ? words[at]!.slice(words[at]!.indexOf('=') + 1) : words[at + 1]
}

function keeperOf({ metadata: { labels = {}, annotations = {} } }: KubeObject): Install['keeper'] {
  if (
    annotations['argocd.argoproj.io/tracking-id'] !== undefined ||
    labels['argocd.argoproj.io/instance'] !== undefined
  )
    return 'Argo CD'
  if (labels['kustomize.toolkit.fluxcd.io/name'] !== undefined || labels['helm.toolkit.fluxcd.io/name'] !== undefined)
    return 'Flux'
  return annotations['meta.helm.sh/release-name'] === undefined ? undefined : 'Helm'
}
