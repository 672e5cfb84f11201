/**
 * What of a manifest's Pods the controller would make none of, with its `--pod-security`: the reader advises before the object is applied. Looked at is
 * what the object asks for, with what the controller adds where it is silent. Pure.
 */
import { kindsIn, makesServers } from '../buses/index.ts'
import { quote } from '../core/quote.ts'
import { containerSecurity, podSecurity } from './podDefaults.ts'
import {
  ACCOUNT_REFUSED,
  breaches,
  breachText,
  DEFAULT_POD_SECURITY,
  type Level,
  type PodSecurity,
} from './podStandards.ts'
import type { Limit } from './templateLimits.ts'
import { membersOf, type Path } from './tree.ts'

/** Of an object of ours; other kinds have no Pods. @param spec as written. Never throws: what has another shape is the API server's to refuse */
export function podBreaches(kind: string, spec: unknown, level: PodSecurity = DEFAULT_POD_SECURITY): Limit[] {
  if (level === 'as-written') return []
  const members = membersOf(spec)
  if (kind === 'EventSource') return refused(members.template, level, ['spec', 'template'], ['container'])
  if (kind !== 'EventBus') return []
  const containers = ['containerTemplate', 'reloaderContainerTemplate', 'metricsContainerTemplate']
  return kindsIn(members)
    .filter(makesServers)
    .flatMap((kind) => refused(members[kind], level, ['spec', kind], containers))
}

/** @param pod with fields of a Pod beside those of ours @param at its place @param names of its members that are containers */
function refused(pod: unknown, level: Level, at: Path, names: readonly string[]): Limit[] {
  const { metadata, serviceAccountName, securityContext, volumes, ...members } = membersOf(pod)
  const contexts = names.map((name) => contextOf(membersOf(members[name]).securityContext))
  const spec = {
    securityContext: podSecurity(contextOf(securityContext), contexts),
    volumes,
    containers: contexts.map((context) => ({ securityContext: containerSecurity(context) })),
  }
  const made = `a controller with ${level === DEFAULT_POD_SECURITY ? 'the default ' : ''}--pod-security ${level} makes no Pods of this object`
  const found = breaches({ metadata: membersOf(metadata), spec }, level).map((breach) => ({
    path: [...at, ...pathOf(breach.field, names)],
    message: `${breachText(breach)}: ${made}`,
    remedy: breach.allowed,
  }))
  if (level !== 'restricted' || typeof serviceAccountName !== 'string' || ['', 'default'].includes(serviceAccountName))
    return found
  // That level takes none that is not named.
  const account = { path: [...at, 'serviceAccountName'], remedy: ACCOUNT_REFUSED.remedy }
  const message = `${quote(serviceAccountName)} ${ACCOUNT_REFUSED.why}, if that names none: ${made}`
  return [...found, { ...account, message }]
}

const contextOf = (value: unknown) => (value === undefined ? undefined : membersOf(value))

/** Of a Pod's field, as a breach has it. */
function pathOf(field: string, names: readonly string[]): Path {
  const [, before = field, annotation] = /^(.*)\["(.*)"\]$/s.exec(field) ?? []
  const steps = before
    .replace(/^containers\[(\d+)\]/, (_, n: string) => names[Number(n)]!)
    .split(/[.[\]]+/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  return annotation === undefined ? steps : [...steps, annotation]
}
