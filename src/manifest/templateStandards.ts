/**
 * What of a manifest's Pods the controller would make none of, with its default `--pod-security baseline`: the reader advises before the object is
 * applied. Only of what the object itself asks for, since the controller adds nothing that is refused. Pure.
 */
import { quote } from '../core/quote.ts'
import { breaches } from './podStandards.ts'
import type { Limit } from './templateLimits.ts'
import { membersOf, type Path } from './tree.ts'

/** @param template `spec.template`, as written. Never throws: what has another shape is the API server's to refuse */
export const templateBreaches = (template: unknown): Limit[] => refused(template, ['spec', 'template'], ['container'])

/** @param servers what an EventBus says of its servers, as written @param at where that stands. Never throws */
export const busBreaches = (servers: unknown, at: Path = ['spec']): Limit[] =>
  refused(servers, at, ['containerTemplate', 'reloaderContainerTemplate', 'metricsContainerTemplate'])

/** @param pod with fields of a Pod beside those of ours @param at its place @param names of its members that are containers */
function refused(pod: unknown, at: Path, names: readonly string[]): Limit[] {
  const { metadata, securityContext, volumes, ...members } = membersOf(pod)
  const containers = names.map((name) => ({ securityContext: membersOf(members[name]).securityContext }))
  const template = { metadata: membersOf(metadata), spec: { securityContext, volumes, containers } }
  return breaches(template, 'baseline').map(({ field, value, control, allowed }) => ({
    path: [...at, ...pathOf(field, names)],
    message: `${shown(value)} is not allowed (${control}, baseline level of the Pod Security Standards): a controller with the default --pod-security baseline makes no Pods of this object`,
    remedy: allowed,
  }))
}

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

function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  const text = JSON.stringify(value) ?? 'this'
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
