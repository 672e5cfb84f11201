/** The validating admission webhook's judgement: what `vedette validate` says, and upstream's rules for changes of a bus. Pure. */

import { forbiddenChanges } from '../buses/index.ts'
import type { KubeObject } from '../kube/resources.ts'
import { membersOf } from '../manifest/tree.ts'
import { DOWNGRADE_ANNOTATION, downgradeText, isOlderLine } from './eventBus/chosen.ts'
import { planBus } from './eventBus.ts'
import { eventSourceObjects } from './eventSource.ts'
import { limitTexts } from './handedOn.ts'
import { canonical } from './objects.ts'
import { refusedPods, refusedText } from './podRules.ts'
import { type ReadObject, readObject, sayError } from './reconcile/read.ts'
import type { Settings } from './settings.ts'
import { shownFor } from './shown.ts'

/** `admission.k8s.io/v1` AdmissionReview, as far as it is used. */
export interface ReviewRequest {
  uid: string
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  object?: KubeObject | null
  oldObject?: KubeObject | null
}

export interface ReviewResponse {
  uid: string
  allowed: boolean
  status?: { code: number; reason: string; message: string }
  /** `kubectl` prints them. */
  warnings?: string[]
}

/**
 * What of a changed EventBus cannot be carried out on the servers that run, and could of the one before: what stood there already is not
 * refused again. @throws when it cannot be found out
 */
export type LostByChange = (before: KubeObject, after: KubeObject) => Promise<string[]>

export interface ReviewOptions {
  lost?: LostByChange
  /** Left out: every Pod is let in. */
  settings?: Settings
  /** The namespace of the controller. */
  home?: string
}

export async function review(
  { uid, operation, object, oldObject }: ReviewRequest,
  { lost = async () => [], settings, home }: ReviewOptions = {},
): Promise<ReviewResponse> {
  const allowed = { uid, allowed: true }
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || !object) return allowed
  // Metadata and status: finalizers must come and go, whatever the spec is.
  if (operation === 'UPDATE' && oldObject && canonical(oldObject.spec) === canonical(object.spec)) return allowed
  if (object.kind !== 'EventSource' && object.kind !== 'EventBus') return allowed
  const read = await readObject(object)
  const found = read.errors.map(sayError)
  if (found.length === 0 && settings !== undefined) found.push(...refusedOf(read, settings, home))
  if (operation === 'UPDATE' && oldObject && object.kind === 'EventBus') {
    found.push(
      ...forbiddenChanges(membersOf(oldObject.spec), membersOf(object.spec)),
      ...forbiddenDowngrade(oldObject, object),
    )
    // Without an answer the controller refuses it later, and says so in the status.
    if (found.length === 0) found.push(...(await lost(oldObject, object).catch(() => [])))
  }
  if (found.length === 0) return { ...allowed, ...warningsOf(object) }
  const shown = shownFor({ spec: [object.spec, oldObject?.spec] })
  const message = shown(`invalid ${object.kind}: ${found.slice(0, 20).join('; ')}`)
  return { uid, allowed: false, status: { code: 400, reason: 'BadRequest', message } }
}

/** Which of its Pods the controller would refuse. */
function refusedOf({ source, bus }: ReadObject, settings: Settings, home: string | undefined): string[] {
  const objects =
    source !== null
      ? eventSourceObjects({ source, bus: {}, settings })
      : bus !== null
        ? planBus({ bus, settings }).objects
        : []
  const refused = refusedPods(objects, settings.pods, home)
  return refused.length === 0 ? [] : [refusedText(refused, settings.pods)]
}

/** What is let in and has no effect. */
function warningsOf({ kind, spec }: KubeObject): { warnings?: string[] } {
  if (kind !== 'EventSource') return {}
  const warnings = limitTexts((spec as Spec | undefined)?.template).slice(0, 10)
  return warnings.length === 0 ? {} : { warnings }
}

type Spec = Record<string, any>

/** A version of which it is known, by its number, that it cannot read what the servers of before have written. */
function forbiddenDowngrade(before: KubeObject, after: KubeObject): string[] {
  const versionIn = ({ spec }: KubeObject) => (spec as Spec | undefined)?.jetstream?.version as string | undefined
  const [old, now] = [versionIn(before), versionIn(after)]
  const { natsImage = `nats:${old}` } = (before.status ?? {}) as { natsImage?: string }
  if (now === undefined || old === undefined || now === old || !isOlderLine(`nats:${now}`, natsImage)) return []
  if (after.metadata.annotations?.[DOWNGRADE_ANNOTATION] === now) return []
  return [`spec.jetstream.version: ${downgradeText(natsImage, now)}`]
}
