/**
 * Which Pods the controller makes for objects that somebody else has written: `--pod-security`, `--service-accounts`. An object that asks for more is
 * refused as a whole; what runs of it goes on.
 */
import type { KubeObject } from '../kube/resources.ts'
import { ACCOUNT_REFUSED, breaches, breachText, type PodSecurity, type PodTemplate } from '../manifest/podStandards.ts'
import { type Condition, condition } from './conditions.ts'
import { CONTROLLER_ACCOUNT } from './install/rbac.ts'

export interface PodRules {
  level: PodSecurity
  /**
   * ServiceAccounts that Pods may run as beside `default`: `name`, or `namespace/name`. Null: any with `baseline`, none with `restricted`.
   */
  serviceAccounts: readonly string[] | null
}

/** The reason of the condition. */
export const POD_SECURITY_REFUSED = 'PodSecurityRefused'

/**
 * What of the Pods among `objects` is refused, for people, with what to do; empty: nothing.
 * @param objects as they are to be applied for one EventSource, EventBus or Sensor
 * @param home the namespace of the controller
 */
export function refusedPods(objects: readonly KubeObject[], rules: PodRules, home?: string): string[] {
  const { level } = rules
  if (level === 'as-written') return []
  return objects.flatMap((object) => {
    const template = (object.spec as { template?: PodTemplate } | undefined)?.template
    const fields = FIELDS[object.metadata.labels?.controller ?? '']
    if (template === undefined || fields === undefined || !['Deployment', 'StatefulSet'].includes(object.kind))
      return []
    const found = breaches(template, level).map(
      (breach) => `${fieldIn(fields, breach.field)}: ${breachText(breach)}: ${breach.allowed}`,
    )
    return [...found, ...refusedAccount(fields, template, object.metadata.namespace ?? '', rules, home)]
  })
}

/** The same as the condition of an object for which nothing is deployed; null: it can be. */
export function podRefusal(objects: readonly KubeObject[], rules: PodRules, home: string): Condition | null {
  const refused = refusedPods(objects, rules, home)
  if (refused.length === 0) return null
  return condition('Deployed', 'False', POD_SECURITY_REFUSED, refusedText(refused, rules))
}

export function refusedText(refused: readonly string[], { level }: PodRules): string {
  const more = refused.length > 10 ? [`and ${refused.length - 10} more`] : []
  const whole = [...refused.slice(0, 10), ...more].join('; ')
  return `refused by --pod-security ${level} of the controller: ${whole}. What is deployed is left as it is`
}

function refusedAccount(
  fields: Fields,
  { spec: { serviceAccountName } }: PodTemplate,
  namespace: string,
  { level, serviceAccounts }: PodRules,
  home: string | undefined,
): string[] {
  if (!serviceAccountName || serviceAccountName === 'default') return []
  const refuse = (why: string) => [`${fields.account}: ${JSON.stringify(serviceAccountName)} ${why}`]
  if (serviceAccountName === CONTROLLER_ACCOUNT && namespace === home)
    return refuse('is the account of the controller, with its rights: use one of its own')
  const allowed = serviceAccounts ?? (level === 'restricted' ? [] : null)
  if (
    allowed === null ||
    allowed.some((one) => one === serviceAccountName || one === `${namespace}/${serviceAccountName}`)
  )
    return []
  return refuse(`${ACCOUNT_REFUSED.why}: ${ACCOUNT_REFUSED.remedy}`)
}

/** Where the fields of a Pod stand in the object that it is made for. */
interface Fields {
  account: string
  /** Beginning of the Pod's field → beginning of the object's. */
  places: [pod: string, object: string][]
}

const template: Fields = {
  account: 'spec.template.serviceAccountName',
  places: [
    ['containers[0].', 'spec.template.container.'],
    ['metadata.', 'spec.template.metadata.'],
    ['', 'spec.template.'],
  ],
}

const FIELDS: Record<string, Fields> = {
  'eventsource-controller': template,
  'sensor-controller': template,
  'eventbus-controller': {
    account: 'spec.jetstream.serviceAccountName',
    places: [
      ['containers[0].', 'spec.jetstream.containerTemplate.'],
      ['containers[1].', 'spec.jetstream.reloaderContainerTemplate.'],
      ['containers[2].', 'spec.jetstream.metricsContainerTemplate.'],
      ['', 'spec.jetstream.'],
    ],
  },
}

function fieldIn({ places }: Fields, field: string): string {
  const [pod, object] = places.find(([pod]) => field.startsWith(pod))!
  return `${object}${field.slice(pod.length)}`
}
